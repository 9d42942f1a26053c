//! The guide is made of pages of the repository, whose links lead to files there. In the
//! documentation they lead to pages of the guide, which `src/lib.rs` defines.

use std::collections::HashSet;

/// Returns the names that a text defines as links, in lines such as `[name]: target`, if
/// these targets are files.
fn definitions(text: &str) -> HashSet<&str> {
    let defined = text.lines().filter_map(|line| line.trim().strip_prefix('[')?.split_once("]: "));
    defined.filter(|(_, target)| !target.starts_with("http")).map(|(name, _)| name).collect()
}

#[test]
fn links_of_the_guide_lead_to_its_pages() {
    let repository = pode_test_crates::repository();
    let read = |path: &str| std::fs::read_to_string(repository.join(path)).unwrap();
    let crate_root = read("src/lib.rs");
    let (_, guide) = crate_root.split_once("pub mod guide {").unwrap();
    let (guide, _) = guide.split_once("\n}\n").unwrap();
    let modules: Vec<_> = guide.split_inclusive(" {}\n").filter(|it| it.contains(".md")).collect();
    assert!(modules.len() >= 5, "these are the pages: {modules:?}");
    for module in modules {
        let (lines, file) = module.rsplit_once("include_str!(\"../").unwrap();
        let (file, _) = file.split_once('"').unwrap();
        let page = read(file);
        for (_, link) in page.match_indices("](").map(|(at, _)| page.split_at(at + 2)) {
            let (target, _) = link.split_once(')').unwrap();
            let leads = target.starts_with('#') || target.starts_with("http");
            assert!(leads, "in {file}, `{target}` leads nowhere in the documentation");
        }
        let in_documentation = lines.replace("#[doc = \"", "").replace("\"]", "");
        let missing = &definitions(&page) - &definitions(&in_documentation);
        assert!(missing.is_empty(), "src/lib.rs doesn't say where {missing:?} of {file} lead");
    }
}
