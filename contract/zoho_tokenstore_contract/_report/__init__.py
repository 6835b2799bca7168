"""From outcomes to words: terminal, JSON, Markdown, HTML, badge."""
