"""One page that shows a campaign's messages as every channel, persona, language and kind of reader would meet them."""
