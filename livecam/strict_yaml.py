"""Settings and recipes are YAML in which no key may be there twice."""

from __future__ import annotations

from typing import Any

import yaml

from livecam.errors import UsageError
from livecam.wording import short

MERGE_TAG = "tag:yaml.org,2002:merge"  # of the key <<
MOST_BITS = 63  # of a whole number: what calculates with it takes no more


def parsed(text: str, where: str) -> Any:
    """What a text says, None for an empty one. Raises UsageError, which names `where` it is."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError as error:
        raise UsageError(f"{where}: not valid YAML: too deep") from error
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise UsageError(f"{where}: not valid YAML: {what}") from error


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice; YAML's own takes the last one and drops the others.
    Says of a value that it cannot be, as !!bool x or 2001-99-99, where YAML's own raises anything.
    """

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

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            why = f" ({error})" if isinstance(error, ValueError) else ""
            raise yaml.YAMLError(
                f"{_told(node)} is no {node.tag.rpartition(':')[2]}{why}"
            ) from error
        if isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise yaml.YAMLError(f"{_told(node)} is too large; expected less than 2**{MOST_BITS}")
        return value


def _told(node: yaml.Node) -> str:
    what = short(node.value) if isinstance(node, yaml.ScalarNode) else "a mapping"
    return f"{what} in line {node.start_mark.line + 1}"
