"""A backend of one's own: `a2ia-cli --backend lmstudio`. Any LangChain chat model goes in the place of `ChatOpenAI`."""

import os


class LMStudio:
    """LM Studio's OpenAI door."""

    name = "lmstudio"

    def __init__(self, settings, report):
        self.settings, self.url = settings, os.environ.get("LMSTUDIO_URL", "http://localhost:1234/v1")

    async def profile(self):
        """Say what the model can do. `native_tools=False` speaks ReAct with it."""
        from agent.backends.base import ModelProfile

        model = self.settings.model or "qwen2.5-coder-7b-instruct"
        return ModelProfile(model, window=8192, native_tools=False, evidence="This example asks nobody.")

    def chat_model(self, profile):
        """Return the chat model."""
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(model=profile.model, base_url=self.url, api_key="none", stream_usage=True, max_retries=0)

    def constrain(self, constraint):
        """Return nothing: `profile` names no language of constraints."""
        return {}

    async def health(self):
        """Say whether the server answers."""
        return True

    async def aclose(self):
        """Let go of nothing."""
