//! The script that wasm-bindgen writes, made smaller: a third of it is comments, spaces and long names.

use crate::Error;
use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions};
use oxc_minifier::{Minifier, MinifierOptions};
use oxc_parser::Parser;
use oxc_span::SourceType;

/// The same module in fewer bytes; what it exports keeps its names.
///
/// # Errors
/// [`Error::Glue`] where it is not an ES module.
pub(crate) fn minify(script: &str) -> Result<String, Error> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, script, SourceType::mjs()).parse();
    if let Some(diagnostic) = parsed.diagnostics.first() {
        return Err(Error::Glue(diagnostic.to_string()));
    }
    let mut program = parsed.program;
    let minified = Minifier::new(MinifierOptions::default()).minify(&allocator, &mut program);
    let printed = Codegen::new()
        .with_options(CodegenOptions::minify())
        .with_scoping(minified.scoping)
        .with_private_member_mappings(minified.class_private_mappings)
        .build(&program);
    Ok(printed.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_keep_their_names_and_comments_go() {
        let script = r#"
            /** What the island shows. */
            export function Counter_7023469843210(element) {
                const number_of_clicks = "// not a comment"; // a comment
                return wasm.show(element, number_of_clicks);
            }
            let wasm;
            async function __wbg_init(module_or_path) {
                wasm = await load(module_or_path);
                return wasm;
            }
            export { __wbg_init as default };
        "#;
        let small = minify(script).unwrap();
        for kept in ["Counter_7023469843210", "as default", "// not a comment", ".show("] {
            assert!(small.contains(kept), "{kept} in {small}");
        }
        for gone in ["What the island shows", "a comment\n", "number_of_clicks"] {
            assert!(!small.contains(gone), "{gone} in {small}");
        }
        assert_eq!(minify(&small).unwrap(), small, "what was made is a module again");
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert!(minify("export function (").unwrap_err().to_string().contains("glue script"));
    }
}
