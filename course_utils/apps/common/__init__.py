"""What do all playgrounds share? A widget that draws in the browser, and settings that refuse wrong values in words."""
