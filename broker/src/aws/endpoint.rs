//! Whether the host of a request is one of the region and the service that it is signed for.
//! <https://docs.aws.amazon.com/general/latest/gr/rande.html>

use thiserror::Error;

use super::scope::Scope;

/// A signature for somewhere else than where its request goes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// `iam.eu-west-1.amazonaws.com`, signed for `us-east-1`.
    #[error("the request is signed for the region {signed}, and goes to {asked}")]
    Region {
        /// Of the scope.
        signed: String,
        /// Of the host.
        asked: String,
    },
    /// Storage, signed for another service, or the other way round. They are signed in different ways.
    #[error("the request is signed for the service {0}, which its host is not of")]
    Service(String),
}

/// Refuses what can be told to be wrong. A host of somebody else's, or a global one, says nothing.
pub(super) fn check(authority: &str, scope: &Scope) -> Result<(), EndpointError> {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _port)| host);
    let Some(labels) = DOMAINS.iter().find_map(|domain| host.strip_suffix(domain)) else {
        return Ok(());
    };
    let last = labels.rsplit('.').next().unwrap_or_default();
    let asked = last.strip_prefix("s3-").unwrap_or(last); // `s3-eu-west-1`, as it was written long ago
    if is_region(asked) && asked != scope.region() {
        let (signed, asked) = (scope.region().to_owned(), asked.to_owned());
        return Err(EndpointError::Region { signed, asked });
    }
    let is_storage = labels
        .split('.')
        .any(|label| label == "s3" || label.starts_with("s3-") || label.starts_with("s3express-"));
    if is_storage != scope.is_storage() {
        return Err(EndpointError::Service(scope.service().to_owned()));
    }
    Ok(())
}

/// `eu-west-1`, `us-gov-east-1`, `us-iso-east-1`.
fn is_region(label: &str) -> bool {
    let mut parts = label.split('-');
    let area = parts
        .next()
        .is_some_and(|area| area.len() == 2 && area.bytes().all(|byte| byte.is_ascii_lowercase()));
    let number = parts
        .next_back()
        .is_some_and(|number| number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit()));
    let between: Vec<&str> = parts.collect();
    let words = between
        .iter()
        .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()));
    area && number && words && (1..=2).contains(&between.len())
}

const DOMAINS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn agree(host: &str, region: &str, service: &str) -> bool {
        check(
            host,
            &Scope::parse(&format!("20150830/{region}/{service}/aws4_request")).unwrap(),
        )
        .is_ok()
    }

    #[test]
    fn region_and_service_are_those_of_the_host() {
        for (host, region, service) in [
            ("sts.eu-west-1.amazonaws.com", "eu-west-1", "sts"),
            ("sts.amazonaws.com:443", "us-east-1", "sts"),
            ("iam.amazonaws.com", "us-east-1", "iam"),
            ("bucket.s3.eu-west-1.amazonaws.com", "eu-west-1", "s3"),
            ("my-bucket-1.s3.amazonaws.com", "us-east-1", "s3"),
            ("bucket.s3.dualstack.us-west-2.amazonaws.com", "us-west-2", "s3"),
            ("s3-us-west-2.amazonaws.com", "us-west-2", "s3"),
            (
                "bedrock-runtime.us-gov-east-1.amazonaws.com",
                "us-gov-east-1",
                "bedrock",
            ),
            (
                "a.execute-api.eu-central-2.amazonaws.com",
                "eu-central-2",
                "execute-api",
            ),
            ("dynamodb.cn-north-1.amazonaws.com.cn", "cn-north-1", "dynamodb"),
            ("lambda.us-east-1.api.aws", "us-east-1", "lambda"),
            ("minio.example.com:9000", "anywhere", "s3"),
        ] {
            assert!(agree(host, region, service), "{host}");
        }
        for (host, region, service) in [
            ("sts.eu-west-1.amazonaws.com", "us-east-1", "sts"),
            ("bucket.s3.eu-west-1.amazonaws.com", "us-east-1", "s3"),
            ("s3-us-west-2.amazonaws.com", "us-east-1", "s3"),
            ("bucket.s3.eu-west-1.amazonaws.com", "eu-west-1", "iam"),
            ("sts.eu-west-1.amazonaws.com", "eu-west-1", "s3"),
        ] {
            assert!(!agree(host, region, service), "{host}");
        }
    }
}
