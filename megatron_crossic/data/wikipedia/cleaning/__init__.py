"""Wikitext to text.

    wikitext ─► characters, elements, markup, addresses: taken out or turned as text
             ─► brackets: which `[[…]]` and `{{…}}` belong together, and which show nothing
             ─► render: links and templates that show something; plain ones directly, the others
                through mwparserfromhell
             ─► tidy: paragraphs, lists, what dropped markup left behind

`clean` runs the steps. Every step is linear in the length of the page, whatever is broken in it.
"""
