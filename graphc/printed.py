"""What is read as text, most of it tables: how it shows itself in shells and in notebooks."""

from __future__ import annotations

import html


class Printed:
    """Something whose text is what it has to show.

    A notebook breaks long lines of text, and a table with them: as HTML they scroll.

    >>> class Table(Printed):
    ...     def __str__(self):
    ...         return "x  x < 1"
    >>> Table()
    x  x < 1
    >>> Table()._repr_html_()
    '<pre style="white-space: pre; overflow-x: auto">x  x &lt; 1</pre>'
    """

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<pre style="white-space: pre; overflow-x: auto">{html.escape(str(self))}</pre>'
