//! What the macro knows of HTML, and what a patch must know of it.

/// Elements without content. As in `leptos_macro`.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];

/// Elements whose content is no markup to a parser, or is run or loaded where it stands.
const SEALED: &[&str] = &[
    "iframe",
    "math",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "plaintext",
    "script",
    "style",
    "template",
    "textarea",
    "title",
    "xmp",
];

/// Components of Leptos that hand their children on as a view.
pub(super) const LEPTOS_COMPONENTS: &[&str] = &[
    "A",
    "AnimatedShow",
    "Await",
    "Body",
    "ErrorBoundary",
    "For",
    "ForEnumerate",
    "Form",
    "Html",
    "ParentRoute",
    "Portal",
    "ProtectedRoute",
    "Provider",
    "Router",
    "Routes",
    "Show",
    "Suspense",
    "Transition",
];

/// Components of Leptos that render their children for each of a number of things.
pub(super) const REPEATING: &[&str] = &["For", "ForEnumerate"];

/// Whether an element has no content and no end tag.
pub(super) fn is_void(tag: &str) -> bool {
    VOID.contains(&tag)
}

/// Whether the content of an element is left to the compiler.
pub(super) fn is_sealed(tag: &str) -> bool {
    SEALED.contains(&tag)
}

/// Whether a name is one that stands in the page as in the source.
pub(super) fn is_plain_tag(tag: &str) -> bool {
    tag.starts_with(|c: char| c.is_ascii_lowercase())
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Whether an attribute's name stands in the page as in the source.
pub(super) fn is_plain_attribute(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    plain && name.starts_with(|c: char| c.is_ascii_lowercase()) && !["inner", "key"].contains(&name)
}

/// Whether a text comes through a parser as it is.
pub(super) fn is_plain_text(text: &str) -> bool {
    !text.contains(['\r', '\0'])
}
