"""The window a person sits in front of: cameras and streams, labelled while they come."""
