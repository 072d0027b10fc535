"""What surrounds the tabs: access, sign-in, page, frame, side panel, theme, scratch."""
