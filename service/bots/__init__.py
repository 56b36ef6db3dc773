"""Chat bots: Feishu, DingTalk and WeCom, each a door of its own. Only the command that runs one imports it."""
