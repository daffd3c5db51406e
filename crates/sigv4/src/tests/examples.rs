//! The values that AWS documents, values that AWS's Python SDK produces, and every error.

use crate::{
    Authorization, Credential, Credentials, Error, Payload, Placement, Request, Scope,
    canonical_request, date, presign, sha256_hex, sign, signing_key, string_to_sign, verify,
};

const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "tok/en+=";
/// 31 January 2026, 23:59:59.
const NOW_S: u64 = 1_769_903_999;
const FIVE_MINUTES_S: u64 = 300;

fn request<'a>(
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
) -> Request<'a> {
    Request {
        method,
        path,
        query,
        headers,
        payload: Payload::Body(body),
    }
}

fn sign_with_token(request: &Request<'_>, service: &str) -> Vec<(&'static str, String)> {
    let credentials = Credentials {
        access_key_id: ACCESS_KEY,
        secret_access_key: SECRET,
        session_token: Some(TOKEN),
    };
    let scope = Scope {
        region: "eu-central-1",
        service,
    };
    let added = sign(request, &credentials, &scope, NOW_S).unwrap();
    let mut headers = request.headers.to_vec();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    let signed = Request {
        headers: &headers,
        ..*request
    };
    verify(&signed, SECRET, NOW_S + 300, FIVE_MINUTES_S).unwrap();
    added
}

fn signature_of(headers: &[(&str, String)]) -> String {
    let (_, value) = headers
        .iter()
        .find(|(name, _)| *name == "authorization")
        .unwrap();
    value.rsplit_once("Signature=").unwrap().1.to_owned()
}

/// The worked example of "Create a signed AWS API request": IAM ListUsers.
#[test]
fn documented_iam_request() {
    let headers = [
        (
            "Content-Type",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
        ("Host", "iam.amazonaws.com"),
        ("X-Amz-Date", "20150830T123600Z"),
    ];
    let request = request(
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        &headers,
        b"",
    );
    let names = ["content-type", "host", "x-amz-date"];
    let canonical = canonical_request(&request, "iam", &names, &sha256_hex(b"")).unwrap();
    assert_eq!(
        sha256_hex(canonical.as_bytes()),
        "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
    );
    let key = signing_key(SECRET, "20150830", "us-east-1", "iam");
    assert_eq!(key[..4], [0xc4, 0xaf, 0xb1, 0xcc]);
    let scope = "20150830/us-east-1/iam/aws4_request";
    let text = string_to_sign("20150830T123600Z", scope, &canonical);
    assert_eq!(
        crate::hash::signature(&key, &text),
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    );
}

const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// "Authenticating Requests: Using the Authorization Header", GET Object.
#[test]
fn documented_s3_request() {
    let authorization = "AWS4-HMAC-SHA256 \
        Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
        SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
        Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    let hash = sha256_hex(b"");
    let headers = [
        ("Host", "examplebucket.s3.amazonaws.com"),
        ("Authorization", authorization),
        ("Range", "bytes=0-9"),
        ("x-amz-content-sha256", hash.as_str()),
        ("x-amz-date", "20130524T000000Z"),
    ];
    let request = request("GET", "/test.txt", "", &headers, b"");
    verify(&request, S3_SECRET, 1_369_353_600, 900).unwrap();
}

/// "Authenticating Requests: Using Query Parameters".
#[test]
fn documented_presigned_url() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let headers = [("Host", "examplebucket.s3.amazonaws.com")];
    let request = request("GET", "/test.txt", query, &headers, b"");
    let signed_s = 1_369_353_600;
    verify(&request, S3_SECRET, signed_s, 900).unwrap();
    verify(&request, S3_SECRET, signed_s + 86_400, 900).unwrap();
    assert_eq!(
        verify(&request, S3_SECRET, signed_s + 86_401, 900),
        Err(Error::PresignedExpired {
            expired_s: signed_s + 86_400
        })
    );
    assert!(matches!(
        verify(&request, S3_SECRET, signed_s - 901, 900),
        Err(Error::NotYetCurrent { .. })
    ));

    let credentials = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret_access_key: S3_SECRET,
        session_token: None,
    };
    let scope = Scope {
        region: "us-east-1",
        service: "s3",
    };
    let bare = Request {
        query: "",
        ..request
    };
    assert_eq!(
        presign(&bare, &credentials, &scope, signed_s, 86_400).unwrap(),
        query
    );
}

/// "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
#[test]
fn documented_chunks() {
    let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;\
         x-amz-decoded-content-length;x-amz-storage-class,Signature={seed}"
    );
    let headers = [
        ("Host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("Authorization", &authorization),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("Content-Encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("Content-Length", "66824"),
    ];
    let mut request = request("PUT", "/examplebucket/chunkObject.txt", "", &headers, b"");
    request.payload = Payload::Unread;
    verify(&request, S3_SECRET, 1_369_353_600, 900).unwrap();

    let authorization = Authorization::from_request(&request).unwrap();
    let mut previous = seed.to_owned();
    for (len, expected) in [
        (
            65_536,
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        ),
        (
            1_024,
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        ),
        (
            0,
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
    ] {
        previous = authorization.chunk_signature(S3_SECRET, &previous, &vec![b'a'; len]);
        assert_eq!(previous, expected);
    }
}

#[test]
fn signatures_are_those_of_the_python_sdk() {
    let headers = [
        ("Host", "127.0.0.1:4566"),
        (
            "Content-Type",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
    ];
    let body = b"Action=DescribeVpcs&Version=2016-11-15";
    assert_eq!(
        signature_of(&sign_with_token(
            &request("POST", "/", "", &headers, body),
            "ec2"
        )),
        "043265aa0fcdecfdd478e4a9c2de05a3d5938b5911f9588ed886b87786f4e046"
    );

    let headers = [("Host", "example.test"), ("X-Amz-Meta", "  two   spaces ")];
    let (path, query) = ("/a%20b/./c/..//d/(x)*", "b=2&a=%2F%20z&a=1&empty");
    assert_eq!(
        signature_of(&sign_with_token(
            &request("GET", path, query, &headers, b""),
            "execute-api"
        )),
        "0e920709dfd3bafc339ff4b5085ca2cfa5b8a6ba5d36e152d2ba159e973c3a97"
    );

    let headers = [("Host", "127.0.0.1:4566")];
    let path = "/bucket/a%20b/./c//d%2B~";
    assert_eq!(
        signature_of(&sign_with_token(
            &request("PUT", path, "tagging", &headers, b"hello"),
            "s3"
        )),
        "675d6f1c10de89a4b7833f3ba5ce81792e12152dda04b4e69fce367e971d8998"
    );
}

#[test]
fn presigned_urls_of_the_python_sdk() {
    let cases = [
        (
            ("127.0.0.1:4566", "/bucket/key", "", "s3"),
            "30c951bb70039ccce4231fbdeaa17bc786c88b5400709ec88a83807907ab95f8",
        ),
        (
            (
                "sts.test",
                "/",
                "Action=GetCallerIdentity&Version=2011-06-15&",
                "sts",
            ),
            "cc7813479024a2dcd6dd9a2ee54426977c81bae9a3534ba8454c9c1ab4119655",
        ),
    ];
    for ((host, path, query, service), signature) in cases {
        let query = format!(
            "{query}X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIDEXAMPLE%2F20260131%2Feu-central-1%2F{service}%2Faws4_request\
             &X-Amz-Date=20260131T235959Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host\
             &X-Amz-Security-Token=tok%2Fen%2B%3D&X-Amz-Signature={signature}"
        );
        let headers = [("host", host)];
        let request = request("GET", path, &query, &headers, b"");
        let authorization = Authorization::from_request(&request).unwrap();
        assert_eq!(authorization.session_token.as_deref(), Some(TOKEN));
        assert_eq!(authorization.placement, Placement::Query { expires_s: 60 });
        authorization
            .verify(&request, SECRET, NOW_S, FIVE_MINUTES_S)
            .unwrap();
    }
}

#[test]
fn clock_errors_name_the_times() {
    let headers = [("host", "h")];
    let bare = request("POST", "/", "", &headers, b"");
    let added = sign_with_token(&bare, "ec2");
    let mut headers = headers.to_vec();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    let signed = Request {
        headers: &headers,
        ..bare
    };
    let late = verify(&signed, SECRET, NOW_S + 301, FIVE_MINUTES_S).unwrap_err();
    assert_eq!(
        late.to_string(),
        "Signature expired: 20260131T235959Z is now earlier than 20260201T000000Z \
         (20260201T000500Z - 5 min.)"
    );
    let early = verify(&signed, SECRET, NOW_S - 301, FIVE_MINUTES_S).unwrap_err();
    assert_eq!(
        early.to_string(),
        "Signature not yet current: 20260131T235959Z is still later than 20260131T235958Z \
         (20260131T235458Z + 5 min.)"
    );
    assert_eq!(
        verify(&signed, "other", NOW_S, FIVE_MINUTES_S),
        Err(Error::Mismatch)
    );
    let other_body = Request {
        payload: Payload::Body(b"x"),
        ..signed
    };
    assert_eq!(
        verify(&other_body, SECRET, NOW_S, FIVE_MINUTES_S),
        Err(Error::Mismatch)
    );
}

#[test]
fn a_date_header_will_do() {
    let credential = "Credential=AKIDEXAMPLE/19941106/r/ec2/aws4_request";
    let value = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;date, Signature=00");
    let headers = [
        ("host", "h"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("authorization", &value),
    ];
    let request = request("GET", "/", "", &headers, b"");
    let authorization = Authorization::from_request(&request).unwrap();
    assert_eq!(date::format_amz(authorization.signed_s), "19941106T084937Z");
    assert_eq!(
        verify(&request, SECRET, authorization.signed_s, 0),
        Err(Error::Mismatch)
    );
}

#[test]
fn broken_authorization_says_what_is_wrong() {
    let good = "AWS4-HMAC-SHA256 Credential=A/20260131/r/ec2/aws4_request, \
                SignedHeaders=host;x-amz-date, Signature=00";
    let error = |value: &str, time: &str| {
        let headers = [
            ("host", "h"),
            ("x-amz-date", time),
            ("authorization", value),
        ];
        Authorization::from_request(&request("GET", "/", "", &headers, b"")).unwrap_err()
    };
    let time = "20260131T000000Z";
    let mut texts = Vec::new();
    for (from, to) in [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("Credential=", "Credentials="),
        ("SignedHeaders=", "Headers="),
        ("Signature=", "Sig="),
        ("Signature=", "Signature:"),
        ("Signature=", "Signature=1,Signature="),
        ("/aws4_request", ""),
        ("aws4_request", "aws3_request"),
        ("20260131", "2026-1-31"),
        ("20260131", "20260130"),
        ("host;", ""),
    ] {
        texts.push(error(&good.replace(from, to), time).to_string());
    }
    texts.push(error(good, "yesterday").to_string());
    assert_eq!(
        texts,
        [
            "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is known.",
            "Authorization header requires 'Credential' parameter.",
            "Authorization header requires 'SignedHeaders' parameter.",
            "Authorization header requires 'Signature' parameter.",
            "Authorization header holds a key=value pair that lacks the equal sign.",
            "Authorization header holds a parameter twice.",
            "Credential must have exactly 5 slash-delimited elements, \
             e.g. keyid/date/region/service/term",
            "Credential should be scoped with a valid terminator: 'aws4_request'",
            "Invalid credential date. This date is not in the format yyyyMMdd.",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
             from HTTP",
            "'Host' must be a 'SignedHeader' in the AWS Authorization.",
            "Date must be in ISO-8601 'basic format', such as 20260131T235959Z.",
        ]
    );
}

#[test]
fn what_is_not_there_is_missing() {
    let headers = [("host", "h")];
    let nothing = request("GET", "/", "", &headers, b"");
    assert_eq!(verify(&nothing, SECRET, NOW_S, 300), Err(Error::Missing));
    let value = "AWS4-HMAC-SHA256 Credential=A/20260131/r/ec2/aws4_request,\
                 SignedHeaders=host;x-amz-target,Signature=00";
    let headers = [
        ("host", "h"),
        ("x-amz-date", "20260131T235959Z"),
        ("authorization", value),
    ];
    let request = request("GET", "/", "", &headers, b"");
    let missing = Error::MissingHeader("x-amz-target".to_owned());
    assert_eq!(verify(&request, SECRET, NOW_S, 300), Err(missing));
    let both = Request {
        query: "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        ..request
    };
    assert!(matches!(
        Authorization::from_request(&both),
        Err(Error::Malformed(_))
    ));
}

#[test]
fn an_access_key_may_hold_slashes() {
    let credential = Credential::parse("a/b/20260131/r/s/aws4_request").unwrap();
    assert_eq!(credential.access_key_id, "a/b");
    assert_eq!(credential.scope(), "20260131/r/s/aws4_request");
}
