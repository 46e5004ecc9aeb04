class ToolFailure(Exception):
    """A tool said no: the message is a sentence that says what is wrong and what to do instead.

    It comes out of a call as an error result with exactly this text.
    """
