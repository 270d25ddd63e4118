"""Pages in a browser on this computer: who came by, and the ages of faces in pictures."""
