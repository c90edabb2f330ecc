"""What agreements say by their wording: parties, law, term and title, read from the text alone.

The entities stage reads it to find names that stand where only a party, a law or a title can; the graph
stage, to say what the document is and states.
"""
