//! Frames, from what the standard library captures.
//!
//! Its captures can be looked into by their text alone, whose form has been the same since they are stable: a numbered line
//! with the function, and one with ` at FILE:LINE:COLUMN` where that is known. A line of another form is passed over. That
//! saves the crates that read debug information a second time.

use super::report::{Frame, MOST_FRAMES};
use std::backtrace::Backtrace;

/// The frames of a capture, the innermost first. Looks symbols up, which takes long the first time: not for a request.
pub(super) fn frames(stack: &Backtrace) -> Vec<Frame> {
    without_the_panic(parse(&stack.to_string()))
}

fn parse(text: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                place_of(place, frame);
            }
        } else if let Some((number, function)) = line.split_once(": ")
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && !number.is_empty()
        {
            let function = function.trim().to_owned();
            frames.push(Frame {
                in_app: is_own(&function, None),
                function: Some(function),
                ..Frame::default()
            });
        }
    }
    frames
}

/// Reads `FILE:LINE:COLUMN`; the column may be missing, and a file may have colons.
fn place_of(place: &str, frame: &mut Frame) {
    let mut parts = place.rsplitn(3, ':');
    let last = parts.next().and_then(|part| part.parse::<u32>().ok());
    let middle = parts.next();
    let (file, line, column) = match (parts.next(), middle.and_then(|part| part.parse::<u32>().ok()), last) {
        (Some(file), Some(line), column @ Some(_)) => (file.to_owned(), Some(line), column),
        (first, _, line @ Some(_)) => {
            let middle = middle.unwrap_or_default();
            (first.map_or_else(|| middle.to_owned(), |first| format!("{first}:{middle}")), line, None)
        }
        _ => (place.to_owned(), None, None),
    };
    frame.in_app = is_own(frame.function.as_deref().unwrap_or_default(), Some(&file));
    (frame.file, frame.line, frame.column) = (Some(shortened(&file)), line, column);
}

/// The file without the folders of the machine that compiled it.
fn shortened(file: &str) -> String {
    let file = file.strip_prefix("./").unwrap_or(file);
    if let Some((_, within)) = file.split_once("/registry/src/") {
        return within.split_once('/').map_or(within, |(_, within)| within).to_owned();
    }
    if let Some(within) = file.strip_prefix("/rustc/") {
        return within.split_once('/').map_or(within, |(_, within)| within).to_owned();
    }
    file.to_owned()
}

/// Whether the frame is the application's: neither the standard library's, nor another crate's, nor Tropos's.
fn is_own(function: &str, file: Option<&str>) -> bool {
    const OTHERS: [&str; 12] = [
        "std::",
        "core::",
        "alloc::",
        "tokio::",
        "futures_",
        "tracing",
        "leptos",
        "reactive_graph::",
        "tachys::",
        "tropos",
        "any_spawner::",
        "hyper",
    ];
    const NO_CODE_OF_OURS: [&str; 6] = ["__rust", "rust_begin_unwind", "_start", "main", "__libc", "__GI_"];
    let plain = function.trim_start_matches(['<', '&']);
    let elsewhere = file.is_some_and(|file| {
        file.starts_with("/rustc/") || file.contains("/registry/src/") || file.contains("/rustlib/src/")
    });
    !elsewhere
        && !OTHERS.iter().any(|other| plain.starts_with(other))
        && !NO_CODE_OF_OURS.iter().any(|other| plain == *other || plain.starts_with("__"))
        && plain != "clone"
}

/// Leaves out how the panic itself came to be told of.
fn without_the_panic(frames: Vec<Frame>) -> Vec<Frame> {
    const ENTRANCES: [&str; 5] = [
        "rust_begin_unwind",
        "__rustc::rust_begin_unwind",
        "std::panicking::begin_panic",
        "core::panicking::panic_fmt",
        "std::panicking::panic_with_hook",
    ];
    let is_entrance = |frame: &Frame| {
        let function = frame.function.as_deref().unwrap_or_default();
        ENTRANCES.iter().any(|entrance| function.starts_with(entrance))
            || function.starts_with("core::panicking::")
    };
    let inner = frames.iter().take(MOST_FRAMES).rposition(is_entrance).map_or(0, |at| at + 1);
    frames.into_iter().skip(inner).take(MOST_FRAMES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "   0: std::backtrace_rs::backtrace::libunwind::trace
             at /rustc/abc/library/std/src/../../backtrace/src/backtrace/libunwind.rs:117:9
   1: rust_begin_unwind
   2: core::panicking::panic_fmt
             at /rustc/abc/library/core/src/panicking.rs:75:14
   3: shop::pages::product::Product::{{closure}}
             at ./src/pages/product.rs:14:9
   4: <tropos_server::render::html::InContext<S> as futures_core::stream::Stream>::poll_next
             at /build/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/tropos-server-0.1.0/src/render/html.rs:12
   5: tokio::runtime::task::raw::poll
   not a line of a stack
";

    #[test]
    fn a_stack_begins_where_the_application_panicked() {
        let frames = without_the_panic(parse(TEXT));
        let [own, framework, runtime] = frames.as_slice() else { panic!("{frames:?}") };
        assert_eq!(own.function.as_deref(), Some("shop::pages::product::Product::{{closure}}"));
        assert_eq!(
            (own.file.as_deref(), own.line, own.column),
            (Some("src/pages/product.rs"), Some(14), Some(9))
        );
        assert!(own.in_app && !framework.in_app && !runtime.in_app);
        assert_eq!(
            (framework.file.as_deref(), framework.line, framework.column),
            (Some("tropos-server-0.1.0/src/render/html.rs"), Some(12), None)
        );
        assert_eq!(runtime.file, None);
    }

    #[test]
    fn what_the_standard_library_captures_is_understood() {
        let frames = frames(&Backtrace::force_capture());
        let own = frames.iter().find(|frame| {
            frame.function.as_deref().is_some_and(|name| name.contains("what_the_standard_library_captures"))
        });
        let own = own.unwrap_or_else(|| panic!("{frames:?}"));
        assert!(own.file.as_deref().is_some_and(|file| file.ends_with("stack.rs")), "{own:?}");
        assert!(own.line.is_some());
    }
}
