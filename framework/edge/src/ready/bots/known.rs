//! What crawlers call themselves, as their operators document it. The lists age: they are a convenience, not a fence.

/// Crawlers of search engines: Google, Bing, DuckDuckGo, Apple, Yandex, Baidu, Qwant, Seznam, Naver.
pub const SEARCH: &[&str] = &[
    "Googlebot",
    "Storebot-Google",
    "bingbot",
    "DuckDuckBot",
    "Applebot",
    "YandexBot",
    "Baiduspider",
    "Qwantbot",
    "SeznamBot",
    "Yeti/",
];

/// Crawlers that gather text for language models, and fetchers on their behalf: OpenAI, Anthropic, Common Crawl, ByteDance,
/// Meta, Amazon, Perplexity, Cohere, Diffbot.
pub const MODELS: &[&str] = &[
    "GPTBot",
    "ChatGPT-User",
    "OAI-SearchBot",
    "ClaudeBot",
    "Claude-User",
    "Claude-SearchBot",
    "anthropic-ai",
    "CCBot",
    "Bytespider",
    "meta-externalagent",
    "Amazonbot",
    "PerplexityBot",
    "cohere-ai",
    "Diffbot",
];

/// Crawlers that gather links for those who sell them.
pub const LINKS: &[&str] =
    &["AhrefsBot", "SemrushBot", "MJ12bot", "DotBot", "BLEXBot", "DataForSeoBot", "serpstatbot", "PetalBot"];

/// Fetchers of previews for links that people send each other.
pub const PREVIEWS: &[&str] = &[
    "facebookexternalhit",
    "Twitterbot",
    "Slackbot",
    "LinkedInBot",
    "Discordbot",
    "TelegramBot",
    "WhatsApp",
    "Mastodon/",
];

/// Programs and libraries that say what they are.
pub const TOOLS: &[&str] = &[
    "curl/",
    "Wget/",
    "python-requests/",
    "python-urllib",
    "aiohttp/",
    "Go-http-client/",
    "okhttp/",
    "Java/",
    "libwww-perl/",
    "Scrapy/",
    "axios/",
    "node-fetch",
    "HeadlessChrome",
];
