//! The recipes in docs/DEPLOYING.md.

use std::path::Path;

/// Returns the code block of the page in a language that contains a text.
pub(crate) fn block(language: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/DEPLOYING.md");
    let page = std::fs::read_to_string(path).unwrap();
    let fence = format!("```{language}\n");
    let mut blocks = page.split(&fence).skip(1).map(|part| part.split("```").next().unwrap());
    blocks
        .find(|block| block.contains(text))
        .unwrap_or_else(|| panic!("no block with {text}"))
        .into()
}

/// Replaces parts of a recipe, each of which must be there.
pub(crate) fn replaced(recipe: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(recipe.to_owned(), |recipe, (from, to)| {
        assert!(recipe.contains(from), "{from} is not in the recipe:\n{recipe}");
        recipe.replace(from, to)
    })
}
