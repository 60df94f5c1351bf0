#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;
use crate::brokered::Alphabet;
use crate::decision::Writing;
use crate::method::Method;
use crate::path::RequestPath;
use crate::target::Scheme;

fn target(host: &str) -> Target {
    Target::parse_with_default(host, 443).unwrap()
}

fn request(method: &str, url: &str) -> Action<()> {
    let (host, path) = url.split_at(url.find('/').unwrap());
    let method = Method::parse(method).unwrap();
    Action::new(
        Scheme::Https,
        target(host),
        method,
        RequestPath::parse(path).unwrap(),
        (),
    )
}

fn counts(action: &Action<()>) -> Vec<String> {
    let preset = Preset::for_target(&action.target).unwrap();
    preset.places(action).map(ToString::to_string).collect()
}

#[test]
fn every_entry_says_why_and_where_that_is_written() {
    for preset in Preset::all() {
        assert!(preset.source.starts_with("https://"), "{}", preset.name);
        assert!(!preset.places.is_empty(), "{}", preset.name);
        for place in &preset.places {
            let said = place.why.len() >= 10 && place.source.starts_with("https://");
            assert!(said, "{}: {}", preset.name, place.place);
        }
    }
}

#[test]
fn what_a_preset_injects_counts_as_a_credential_at_its_hosts() {
    for preset in Preset::all() {
        for inject in &preset.inject {
            let covered = preset.places.iter().any(|counted| {
                let everywhere = counted.hosts.is_empty()
                    && counted.paths.is_empty()
                    && counted.requests == scope::Requests::All;
                let same = match (&counted.place, inject) {
                    (CredentialPlace::Header { name, scheme: None }, Injection::Header { name: own, .. }) => {
                        name == own
                    }
                    (
                        CredentialPlace::Header { name, scheme: None },
                        Injection::Basic { .. } | Injection::Aws4,
                    ) => name == "authorization",
                    (CredentialPlace::Query(name), Injection::Query(own)) => name == own,
                    _ => false,
                };
                everywhere && same
            });
            assert!(covered, "{}: {inject:?}", preset.name);
        }
    }
}

#[test]
fn names_are_words_and_each_is_there_once() {
    for (at, preset) in Preset::all().iter().enumerate() {
        assert!(
            preset
                .name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
            "{}",
            preset.name
        );
        assert!(
            Preset::all()[..at]
                .iter()
                .all(|before| before.name != preset.name),
            "{}",
            preset.name
        );
        assert!(std::ptr::eq(Preset::named(&preset.name).unwrap(), preset));
    }
}

#[test]
fn names_of_headers_are_in_lower_case() {
    let headers = Preset::all()
        .iter()
        .flat_map(|preset| &preset.places)
        .filter_map(|counted| match &counted.place {
            CredentialPlace::Header { name, .. } | CredentialPlace::Listed { header: name, .. } => Some(name),
            _ => None,
        });
    let injected = Preset::all()
        .iter()
        .flat_map(|preset| &preset.inject)
        .filter_map(|inject| match inject {
            Injection::Header { name, .. } => Some(name),
            _ => None,
        });
    for name in headers.chain(injected) {
        assert_eq!(*name, name.to_ascii_lowercase());
    }
}

#[test]
fn every_host_of_a_service_leads_to_it_and_to_no_other() {
    for preset in Preset::all() {
        for pattern in preset.hosts.iter().chain(&preset.watched) {
            let host = pattern.to_string().replace('*', "some");
            let found = Preset::for_target(&target(&host)).unwrap();
            let same_places = found.name == preset.name || preset.role == Role::Variant;
            assert!(same_places, "{host} of {} leads to {}", preset.name, found.name);
        }
    }
}

#[test]
fn a_place_is_narrowed_to_hosts_of_its_preset_only() {
    for preset in Preset::all() {
        for pattern in preset.places.iter().flat_map(|counted| &counted.hosts) {
            let own = preset
                .hosts
                .iter()
                .chain(&preset.watched)
                .any(|hosts| hosts.overlaps(pattern));
            assert!(own, "{pattern} is not of {}", preset.name);
        }
    }
}

#[test]
fn a_body_is_read_where_logins_are_and_nowhere_else() {
    // A body that counts is held, and refused when it is long: an upload must not be.
    for preset in Preset::all() {
        for counted in preset.places.iter().filter(|counted| counted.place.is_in_body()) {
            let narrowed = !counted.paths.is_empty() || !counted.hosts.is_empty();
            assert!(narrowed, "{}: {}", preset.name, counted.place);
            assert!(counted.paths.iter().all(|path| path.to_string() != "/**"));
        }
    }
}

#[test]
fn placeholders_are_of_the_right_shape_and_long_enough_to_occur_nowhere() {
    for preset in Preset::all() {
        let Some(placeholder) = &preset.placeholder else {
            continue;
        };
        assert!(!placeholder.variables.is_empty(), "{}", preset.name);
        assert!(
            placeholder.random >= placeholder.alphabet.least(),
            "{}",
            preset.name
        );
        let companions = placeholder.companions.iter().map(|(variable, _)| variable);
        for variable in placeholder.variables.iter().chain(companions) {
            let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(variable.bytes().all(fits), "{variable}");
        }
    }
    let aws = Preset::named("aws").unwrap().placeholder().unwrap();
    assert_eq!(
        (aws.prefix.as_str(), aws.random, aws.alphabet),
        ("AKIA", 16, Alphabet::Base32)
    );
}

#[test]
fn an_unknown_preset_names_the_known_ones() {
    let error = Preset::named("antropic").unwrap_err().to_string();
    assert!(
        error.starts_with("there is no preset `antropic`; there are anthropic, "),
        "{error}"
    );
}

#[test]
fn a_host_that_belongs_to_nobody_has_none() {
    for host in [
        "example.com",
        "notgithub.com",
        "api.github.com.example.com",
        "192.0.2.1",
        "googleapis.com",
        "amazonaws.com",
    ] {
        assert!(Preset::for_target(&target(host)).is_none(), "{host}");
    }
    for (host, name) in [
        ("api.anthropic.com", "anthropic"),
        ("api.anthropic.com:8443", "anthropic"),
        ("storage.googleapis.com", "google"),
        ("a.b.s3.eu-west-1.amazonaws.com", "aws"),
        ("ghcr.io", "docker"),
        ("npm.pkg.github.com", "github"),
    ] {
        assert_eq!(Preset::for_target(&target(host)).unwrap().name(), name, "{host}");
    }
}

#[test]
fn a_pull_shows_the_token_that_a_registry_gave_and_a_push_does_not() {
    let bearer = "the header authorization".to_owned();
    for reading in [
        request("GET", "registry-1.docker.io/v2/a/manifests/1"),
        request("HEAD", "ghcr.io/v2/a/blobs/x"),
    ] {
        assert!(!counts(&reading).contains(&bearer));
        assert!(counts(&reading).contains(&"the header authorization (Basic)".to_owned()));
    }
    for writing in [
        request("PUT", "ghcr.io/v2/a/manifests/1"),
        request("POST", "ghcr.io/v2/a/blobs/uploads/"),
    ] {
        assert!(counts(&writing).contains(&bearer));
    }
    assert!(counts(&request("GET", "hub.docker.com/v2/repositories/a/")).contains(&bearer));
}

#[test]
fn a_presigned_download_passes_and_a_presigned_upload_counts() {
    let presigned = "the parameter X-Amz-Credential of the query".to_owned();
    let url = "bucket.s3.amazonaws.com/key";
    assert!(!counts(&request("GET", url)).contains(&presigned));
    assert!(counts(&request("PUT", url)).contains(&presigned));
    let with_body = Action {
        writing: Writing::Body,
        ..request("GET", url)
    };
    assert!(counts(&with_body).contains(&presigned));
    let acts_as = Action {
        acts_as: Method::parse("PUT").ok(),
        ..request("GET", url)
    };
    assert!(counts(&acts_as).contains(&presigned));
}

#[test]
fn a_login_counts_in_every_reading_of_its_path() {
    let code = "`code` in the body".to_owned();
    for path in [
        "/login/oauth/access_token",
        "/login//oauth/access_token",
        "/login/oauth%2faccess_token",
        "/login/oauth/access_token;x",
    ] {
        assert!(
            counts(&request("POST", &format!("github.com{path}"))).contains(&code),
            "{path}"
        );
    }
    assert!(!counts(&request("POST", "github.com/a/b/git-upload-pack")).contains(&code));
    assert!(!counts(&request("POST", "api.github.com/login/oauth/access_token")).contains(&code));
}

#[test]
fn a_variant_counts_what_its_base_counts() {
    let of = |name: &str| {
        let preset = Preset::named(name).unwrap();
        preset
            .places(&request("POST", "console.anthropic.com/v1/oauth/token"))
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("claude-subscription"), of("anthropic"));
    assert!(of("anthropic").contains(&"`refresh_token` in the body".to_owned()));
}

#[test]
fn a_preset_at_another_host_counts_what_is_not_narrowed_to_hosts() {
    let gitlab = Preset::named("gitlab").unwrap();
    let own = request("POST", "gitlab.example.com/oauth/token");
    let places: Vec<String> = gitlab.places(&own).map(ToString::to_string).collect();
    assert!(places.contains(&"the header private-token".to_owned()));
    assert!(places.contains(&"`refresh_token` in the body".to_owned()));
}
