"""Settings and recipes are YAML in which no key may be there twice."""

from __future__ import annotations

from typing import Any

import yaml

from livecam.errors import UsageError

MERGE_TAG = "tag:yaml.org,2002:merge"  # of the key <<


def parsed(text: str, where: str) -> Any:
    """What a text says, None for an empty one. Raises UsageError, which names `where` it is."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError as error:
        raise UsageError(f"{where}: not valid YAML: too deep") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an impossible date or byte
        what = " ".join(str(error).split())
        raise UsageError(f"{where}: not valid YAML: {what}") from error


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice; YAML's own takes the last one and drops the others."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Looks before merge keys (<<) are put in: what they bring may be replaced."""
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE_TAG:
                continue
            line, name = key.start_mark.line + 1, (key.tag, key.value)
            if name in lines:
                where = f"lines {lines[name]} and {line}" if line > lines[name] else f"line {line}"
                raise yaml.YAMLError(f"{key.value!r} is there twice, in {where}; keep one of them")
            lines[name] = line
        return node
