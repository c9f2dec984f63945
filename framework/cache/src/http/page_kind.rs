//! What of a page is kept, and what of it is worth compressing.

use ::http::{HeaderName, header};

/// Bodies shorter than this are not compressed: the answer fits one packet either way, and the header that names the
/// coding eats what little is saved.
const WORTH_COMPRESSING: usize = 256;

/// Whether a header of a rendered page is stored with it.
///
/// `Set-Cookie` belongs to one visitor, whatever the page meant by it. What concerns one connection is not stored
/// (RFC 9111 §3.1), and neither is what each answer computes for itself.
pub(crate) fn is_kept(name: &HeaderName) -> bool {
    const REFUSED: [HeaderName; 17] = [
        header::SET_COOKIE,
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::ACCEPT_RANGES,
        header::AGE,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::DATE,
        header::ETAG,
        super::CACHE_STATUS,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    !REFUSED.contains(name)
}

/// Whether a body of this type and length is likely to shrink.
pub(crate) fn is_worth_compressing(content_type: Option<&str>, length: usize) -> bool {
    if length < WORTH_COMPRESSING {
        return false;
    }
    let Some(content_type) = content_type else {
        return true;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
    match kind {
        "audio" | "video" => false,
        "image" => matches!(subtype, "svg+xml" | "bmp" | "x-icon" | "vnd.microsoft.icon"),
        "font" => !matches!(subtype, "woff" | "woff2"),
        "application" => !matches!(
            subtype,
            "gzip" | "zip" | "zstd" | "x-7z-compressed" | "x-bzip2" | "x-xz" | "vnd.rar" | "epub+zip" | "pdf"
        ),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_shrinks_is_compressed() {
        let cases = [
            (Some("text/html; charset=utf-8"), 256, true),
            (Some("text/html; charset=utf-8"), 255, false),
            (None, 1000, true),
            (Some("application/json"), 1000, true),
            (Some("image/svg+xml"), 1000, true),
            (Some("IMAGE/PNG"), 1000, false),
            (Some("image/webp"), 1000, false),
            (Some("video/mp4"), 1000, false),
            (Some("font/woff2"), 1000, false),
            (Some("font/ttf"), 1000, true),
            (Some("application/zip"), 1000, false),
            (Some("nonsense"), 1000, true),
        ];
        for (content_type, length, worth) in cases {
            assert_eq!(is_worth_compressing(content_type, length), worth, "{content_type:?} {length}");
        }
    }
}
