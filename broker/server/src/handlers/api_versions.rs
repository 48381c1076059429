//! ApiVersions: which APIs are served in which versions (KIP-35, KIP-511).

use connection::Part;
use protocol::generated::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use protocol::response::Answered;
use protocol::{ApiKey, EncodeError, ErrorCode};

/// From this version on clients name themselves.
const NAMES_FROM: i16 = 3;

/// Answers with the list of APIs; no features are announced, as there is nothing that depends on
/// one.
pub(crate) fn handle(version: i16, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let named = is_name(&request.client_software_name) && is_name(&request.client_software_version);
    if version >= NAMES_FROM && !named {
        let error_code = ErrorCode::InvalidRequest.number();
        return ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() };
    }
    ApiVersionsResponse { api_keys: api_keys(), ..ApiVersionsResponse::default() }
}

/// Answers a request in a version that is newer than ours: in version 0, with the list, so that the
/// client can ask again (KIP-511).
pub(crate) fn unsupported(correlation_id: i32) -> Result<Vec<Part>, EncodeError> {
    let answered = Answered { api_key: ApiKey::ApiVersions, api_version: 0, correlation_id };
    let error_code = ErrorCode::UnsupportedVersion.number();
    let api_keys = api_keys();
    super::frame(answered, &ApiVersionsResponse { error_code, api_keys, ..Default::default() })
}

fn api_keys() -> Vec<ApiVersion> {
    let version = |api: &ApiKey| ApiVersion {
        api_key: api.number(),
        min_version: api.advertised_min_version(),
        max_version: api.max_version(),
    };
    ApiKey::ALL.iter().map(version).collect()
}

/// Kafka's rule for the name and the version of a client: `[a-zA-Z0-9]`, with `-` and `.` inside.
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, version: &str) -> ApiVersionsRequest {
        ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: version.into(),
        }
    }

    #[test]
    fn every_served_api_is_named_and_produce_from_0_on() {
        let response = handle(0, &ApiVersionsRequest::default());
        assert_eq!(response.error_code, 0);
        assert_eq!(response.api_keys.len(), ApiKey::ALL.len());
        assert_eq!(
            response.api_keys[0],
            ApiVersion { api_key: 0, min_version: 0, max_version: 13 }
        );
    }

    #[test]
    fn no_feature_is_announced() {
        for version in [3, 4] {
            let response = handle(version, &request("a", "1"));
            assert_eq!(
                (response.supported_features, response.finalized_features),
                (vec![], vec![])
            );
            assert_eq!(response.finalized_features_epoch, -1);
        }
    }

    #[test]
    fn a_client_that_misnames_itself_is_refused_from_version_3_on() {
        let invalid = ErrorCode::InvalidRequest.number();
        assert_eq!(handle(3, &request("apache-kafka-java", "4.3.0")).error_code, 0);
        for bad in ["", "-a", "a.", "a b", "ü"] {
            assert_eq!(handle(3, &request(bad, "1")).error_code, invalid, "{bad:?}");
            assert_eq!(handle(2, &request(bad, "1")).error_code, 0, "{bad:?}");
        }
    }
}
