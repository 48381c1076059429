//! What a server and a client must know of each API: its versions, and the form of its frames.

use crate::generated::api_key::ApiKey;
use crate::primitive::Form;

impl ApiKey {
    /// The number on the wire.
    pub fn number(self) -> i16 {
        self as i16
    }

    /// The first version that is served.
    pub fn min_version(self) -> i16 {
        self.versions().0
    }

    /// The last version that is served.
    pub fn max_version(self) -> i16 {
        self.versions().1
    }

    /// Whether requests in `version` are served.
    pub fn is_served_in(self, version: i16) -> bool {
        (self.min_version()..=self.max_version()).contains(&version)
    }

    /// The first version that ApiVersions names.
    ///
    /// Produce is named from 0 although 0 to 2 are refused: librdkafka before the fix of
    /// KAFKA-18659 looks for Produce 0 before it dares to compress.
    pub fn advertised_min_version(self) -> i16 {
        match self {
            Self::Produce => 0,
            _ => self.min_version(),
        }
    }

    /// The form of request and response bodies in `version`.
    pub fn form(self, version: i16) -> Form {
        if version >= self.flexible_from() { Form::Flexible } else { Form::Plain }
    }

    /// The version of the request header in `version`: 2 in the flexible form, else 1.
    pub fn request_header_version(self, version: i16) -> i16 {
        match self.form(version) {
            Form::Flexible => 2,
            Form::Plain => 1,
        }
    }

    /// The version of the response header in `version`: 1 in the flexible form, else 0.
    ///
    /// ApiVersions always answers with 0 (KIP-511): the client cannot know yet what the server
    /// understood.
    pub fn response_header_version(self, version: i16) -> i16 {
        match self.response_header_form(version) {
            Form::Flexible => 1,
            Form::Plain => 0,
        }
    }

    pub(crate) fn response_header_form(self, version: i16) -> Form {
        match self {
            Self::ApiVersions => Form::Plain,
            _ => self.form(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An API that is served is one that clients use: a Java client sends its telemetry, the
    /// brokers of a cluster talk to each other, as soon as somebody names the API for that.
    #[test]
    fn these_apis_are_served_and_no_others() {
        let mut numbers: Vec<i16> = ApiKey::ALL.iter().map(|api| api.number()).collect();
        numbers.sort_unstable();
        let expect = [0, 1, 2, 3, 18, 19, 20, 22, 23, 32, 33, 35, 37, 44, 46, 60, 75];
        assert_eq!(numbers, expect);
        for telemetry in [71, 72] {
            assert_eq!(ApiKey::from_number(telemetry), None);
        }
    }

    #[test]
    fn produce_is_advertised_from_0_and_served_from_3() {
        assert_eq!(ApiKey::Produce.advertised_min_version(), 0);
        assert!(!ApiKey::Produce.is_served_in(2));
        assert!(ApiKey::Produce.is_served_in(3));
    }

    #[test]
    fn unstable_versions_are_not_served() {
        assert_eq!(ApiKey::InitProducerId.max_version(), 5);
    }

    #[test]
    fn api_versions_answers_with_header_0() {
        for version in 0..=4 {
            assert_eq!(ApiKey::ApiVersions.response_header_version(version), 0);
        }
        assert_eq!(ApiKey::Metadata.response_header_version(9), 1);
    }
}
