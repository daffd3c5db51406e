//! Answers of the AWS JSON 1.1 protocol.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// The content type of every answer.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// An answer that is ready for HTTP. Its content type is [`CONTENT_TYPE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body; empty for operations without output.
    pub body: Vec<u8>,
    /// The value for the `x-amzn-ErrorType` header of an error.
    pub error_type: Option<&'static str>,
}

impl JsonResponse {
    /// A success with an output structure.
    pub fn success(output: &impl Serialize) -> Self {
        match serde_json::to_vec(output) {
            Ok(body) => Self {
                status: 200,
                body,
                error_type: None,
            },
            Err(error) => {
                tracing::error!(%error, "cannot write an answer as JSON");
                Self::error(500, "InternalFailure", "The request processing has failed.")
            }
        }
    }

    /// A success of an operation without output.
    pub fn empty() -> Self {
        Self {
            status: 200,
            body: Vec::new(),
            error_type: None,
        }
    }

    /// An error. A message that is empty is left out.
    pub fn error(status: u16, error_type: &'static str, message: &str) -> Self {
        let body = if message.is_empty() {
            json!({ "__type": error_type })
        } else {
            json!({ "__type": error_type, "message": message })
        };
        Self {
            status,
            body: body.to_string().into_bytes(),
            error_type: Some(error_type),
        }
    }

    /// The answer to a target that the service does not have.
    pub fn unknown_operation() -> Self {
        Self::error(400, "UnknownOperationException", "")
    }
}

/// Reads an input structure. An empty body is an empty structure; unknown members are ignored, as
/// AWS does; everything else that does not fit is a `SerializationException`.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonResponse> {
    let body = if body.iter().all(u8::is_ascii_whitespace) {
        b"{}"
    } else {
        body
    };
    let refused = |message: &str| JsonResponse::error(400, "SerializationException", message);
    // A structure of serde also reads from an array; AWS JSON has objects only.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(refused(
            "Start of structure or map found where not expected.",
        ));
    }
    serde_json::from_slice(body).map_err(|error| refused(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct Input {
        limit: Option<i64>,
    }

    fn text(response: JsonResponse) -> String {
        format!(
            "{} {}",
            response.status,
            String::from_utf8(response.body).unwrap()
        )
    }

    #[test]
    fn input_that_does_not_fit_is_a_serialization_exception() {
        let refused = |body: &[u8]| text(parse::<Input>(body).unwrap_err());
        expect![[r#"400 {"__type":"SerializationException","message":"EOF while parsing an object at line 1 column 1"}"#]]
            .assert_eq(&refused(b"{"));
        expect![[r#"400 {"__type":"SerializationException","message":"invalid type: string \"a\", expected i64 at line 1 column 13"}"#]]
            .assert_eq(&refused(br#"{"limit": "a"}"#));
        expect![[r#"400 {"__type":"SerializationException","message":"Start of structure or map found where not expected."}"#]]
            .assert_eq(&refused(b"[1]"));
        assert_eq!(parse::<Input>(b" ").unwrap().limit, None);
        assert_eq!(
            parse::<Input>(br#"{"limit":3,"other":{}}"#).unwrap().limit,
            Some(3)
        );
    }

    #[test]
    fn errors_carry_type_and_message() {
        expect![[r#"400 {"__type":"UnknownOperationException"}"#]]
            .assert_eq(&text(JsonResponse::unknown_operation()));
        let error = JsonResponse::error(500, "InternalFailure", "broken");
        expect![[r#"500 {"__type":"InternalFailure","message":"broken"}"#]].assert_eq(&text(error));
    }
}
