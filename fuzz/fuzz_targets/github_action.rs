//! What is read back of an action of a session is written as it was read, and nothing that a rule may allow is made of a text that names
//! no repository and ref.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_policy::github::{GithubAction, RefName, RepositoryName};

fuzz_target!(|text: &str| {
    let action = GithubAction::read_back(text);
    assert_eq!(action.to_string(), text);
    if let Some(repository) = action.repository() {
        assert!(repository.as_str().parse::<RepositoryName>().is_ok());
        assert!(text.ends_with(repository.as_str()));
    }
    if let Some(name) = action.written_ref() {
        assert!(name.as_str().parse::<RefName>().is_ok());
        let verb = text.split(' ').next().expect("there is a first part");
        assert!(["create", "update", "force", "delete"].contains(&verb));
        let forces = matches!(action, GithubAction::ForceRef(..));
        assert_eq!(forces, verb == "force");
    }
});
