//! Encodings that lie beside a file, so that the server never compresses it.

use super::names;
use std::io::Write as _;

/// Files below this size fit into one packet in any case.
const WORTH_IT_FROM: usize = 256;

/// Kinds of files that are compressed in themselves.
const COMPRESSED: &[&str] = &[
    "7z", "aac", "apng", "avif", "br", "bz2", "flac", "gif", "gz", "heic", "jpeg", "jpg", "jxl", "m4a",
    "m4v", "mov", "mp3", "mp4", "oga", "ogg", "ogv", "opus", "png", "rar", "weba", "webm", "webp", "woff",
    "woff2", "xz", "zip", "zst",
];

/// A file in another encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// As in `Content-Encoding`.
    pub(crate) coding: &'static str,
    /// Added to the file's name.
    pub(crate) suffix: &'static str,
    /// The content.
    pub(crate) bytes: Vec<u8>,
}

/// The codings, with what each adds to a file's name.
pub(crate) const CODINGS: [(&str, &str); 3] = [("br", "br"), ("zstd", "zst"), ("gzip", "gz")];

/// The encodings that are smaller than the file; none for what is compressed in itself.
pub(crate) fn encodings(name: &str, bytes: &[u8]) -> Vec<Encoded> {
    if bytes.len() < WORTH_IT_FROM || COMPRESSED.contains(&names::extension(name).as_str()) {
        return Vec::new();
    }
    let encoded = [brotli(bytes), zstd::encode_all(bytes, 19).ok(), gzip(bytes)];
    CODINGS
        .into_iter()
        .zip(encoded)
        .filter_map(|((coding, suffix), bytes)| bytes.map(|bytes| Encoded { coding, suffix, bytes }))
        .filter(|encoded| encoded.bytes.len() < bytes.len())
        .collect()
}

/// The encodings are written into memory, so an error cannot happen but by the encoder's own fault; the file is then
/// served without.
fn brotli(bytes: &[u8]) -> Option<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 24,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut out, &parameters).ok()?;
    Some(out)
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn each_encoding_decodes_to_the_file() {
        let text = "body { color: rebeccapurple }\n".repeat(100).into_bytes();
        let all = encodings("a/style.css", &text);
        assert_eq!(
            all.iter().map(|e| (e.coding, e.suffix)).collect::<Vec<_>>(),
            [("br", "br"), ("zstd", "zst"), ("gzip", "gz")]
        );
        for encoded in all {
            let mut decoded = Vec::new();
            match encoded.coding {
                "br" => brotli::BrotliDecompress(&mut &*encoded.bytes, &mut decoded).unwrap(),
                "zstd" => decoded = zstd::decode_all(&*encoded.bytes).unwrap(),
                _ => drop(flate2::read::GzDecoder::new(&*encoded.bytes).read_to_end(&mut decoded).unwrap()),
            }
            assert_eq!(decoded, text, "{}", encoded.coding);
        }
    }

    #[test]
    fn the_same_file_gives_the_same_bytes_twice() {
        let text = "a".repeat(1_000).into_bytes();
        assert_eq!(encodings("a.txt", &text), encodings("a.txt", &text));
    }

    #[test]
    fn what_would_gain_nothing_is_left_alone() {
        let noise: Vec<u8> = blake3::Hasher::new().finalize_xof().bytes_of(4_096);
        for (name, bytes) in
            [("small.css", vec![b'a'; 255]), ("photo.JPG", vec![b'a'; 4_096]), ("noise.bin", noise)]
        {
            assert!(encodings(name, &bytes).is_empty(), "{name}");
        }
    }

    trait BytesOf {
        fn bytes_of(self, length: usize) -> Vec<u8>;
    }

    impl BytesOf for blake3::OutputReader {
        fn bytes_of(mut self, length: usize) -> Vec<u8> {
            let mut bytes = vec![0; length];
            self.fill(&mut bytes);
            bytes
        }
    }
}
