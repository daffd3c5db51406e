//! Checksums of object data: computed while the data streams past, compared with what was declared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use serde::{Deserialize, Serialize};

/// The checksum algorithms of S3 ("Checking object integrity in Amazon S3").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

pub(crate) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Crc32,
    Algorithm::Crc32c,
    Algorithm::Crc64Nvme,
    Algorithm::Sha1,
    Algorithm::Sha256,
];

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        ALGORITHMS
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }
}

/// A checksum value, base64, with its algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) value: String,
    /// Whether the value is a checksum of the parts' checksums.
    #[serde(default)]
    pub(crate) composite: bool,
}

/// Fills the five checksum fields and the checksum type that many outputs of the model share.
macro_rules! set_checksum {
    ($output:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            let value = Some(checksum.value.clone());
            match checksum.algorithm {
                $crate::s3::checksum::Algorithm::Crc32 => $output.checksum_crc32 = value,
                $crate::s3::checksum::Algorithm::Crc32c => $output.checksum_crc32c = value,
                $crate::s3::checksum::Algorithm::Crc64Nvme => $output.checksum_crc64nvme = value,
                $crate::s3::checksum::Algorithm::Sha1 => $output.checksum_sha1 = value,
                $crate::s3::checksum::Algorithm::Sha256 => $output.checksum_sha256 = value,
            }
        }
    };
}
pub(crate) use set_checksum;

/// What the client said about the data it sends.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    md5: Option<[u8; 16]>,
    algorithm: Option<Algorithm>,
    value: Option<String>,
}

impl Declared {
    /// Reads Content-MD5, `x-amz-checksum-*`, `x-amz-sdk-checksum-algorithm` and `x-amz-trailer`.
    pub(crate) fn from_headers(headers: &HeaderMap) -> S3Result<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut declared = Self::default();
        if let Some(md5) = text("content-md5") {
            let bytes = BASE64
                .decode(md5)
                .ok()
                .and_then(|bytes| bytes.try_into().ok());
            declared.md5 = Some(bytes.ok_or_else(|| {
                s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid.")
            })?);
        }
        for algorithm in ALGORITHMS {
            if let Some(value) = text(&algorithm.header()) {
                if declared.value.is_some() {
                    return Err(s3_error!(
                        InvalidRequest,
                        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
                    ));
                }
                declared.algorithm = Some(algorithm);
                declared.value = Some(value.to_owned());
            }
        }
        if declared.algorithm.is_none() {
            let trailer = text("x-amz-trailer").unwrap_or_default();
            declared.algorithm = ALGORITHMS
                .into_iter()
                .find(|algorithm| {
                    trailer
                        .split(',')
                        .any(|name| name.trim() == algorithm.header())
                })
                .or_else(|| text("x-amz-sdk-checksum-algorithm").and_then(Algorithm::parse));
        }
        Ok(declared)
    }

    /// The hasher for this data. AWS computes CRC64NVME when the client names no algorithm.
    pub(crate) fn digest(&self, default: Algorithm) -> Digest {
        Digest::new(self.algorithm.unwrap_or(default))
    }

    /// Compares what arrived with what was declared, in headers or in trailers.
    pub(crate) fn verify(&self, computed: &Digested, trailers: Option<&HeaderMap>) -> S3Result<()> {
        if let Some(md5) = self.md5
            && md5 != computed.md5
        {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        let name = computed.checksum.algorithm.header();
        let trailer = trailers
            .and_then(|map| map.get(&name))
            .and_then(|value| value.to_str().ok());
        match self.value.as_deref().or(trailer) {
            Some(expected) => computed.checksum.verify(expected),
            None => Ok(()),
        }
    }
}

impl Checksum {
    /// Compares with a value that the client sent.
    pub(crate) fn verify(&self, expected: &str) -> S3Result<()> {
        if self.value == expected {
            return Ok(());
        }
        Err(S3Error::with_message(
            S3ErrorCode::BadDigest,
            format!(
                "The {} you specified did not match the calculated checksum.",
                self.algorithm.name()
            ),
        ))
    }
}

/// Size, MD5 and one checksum of a stream of bytes.
pub(crate) struct Digest {
    size: u64,
    md5: Md5,
    algorithm: Algorithm,
    hasher: ChecksumHasher,
}

/// The result of a [`Digest`].
#[derive(Debug, Clone)]
pub(crate) struct Digested {
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) checksum: Checksum,
}

impl Digest {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self {
            size: 0,
            md5: Md5::new(),
            algorithm,
            hasher: hasher(algorithm),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        self.size += data.len() as u64;
        self.md5.update(data);
        self.hasher.update(data);
    }

    pub(crate) fn finish(self) -> Digested {
        let mut md5 = [0; 16];
        md5.copy_from_slice(self.md5.finalize().as_ref());
        let value = value(self.hasher);
        let checksum = Checksum {
            algorithm: self.algorithm,
            value,
            composite: false,
        };
        Digested {
            size: self.size,
            md5,
            checksum,
        }
    }
}

/// The checksum of the parts' checksums, with the count that S3 appends.
pub(crate) fn composite(algorithm: Algorithm, parts: &[&str]) -> Checksum {
    let mut hasher = hasher(algorithm);
    for part in parts {
        hasher.update(&BASE64.decode(part).unwrap_or_default());
    }
    let value = format!("{}-{}", value(hasher), parts.len());
    Checksum {
        algorithm,
        value,
        composite: true,
    }
}

/// The ETag of a multipart object: MD5 of the parts' MD5s and their count.
pub(crate) fn composite_etag<'a>(parts: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = parts.len();
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(&from_hex(part));
    }
    format!("{}-{count}", hex(md5.finalize().as_ref()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn hasher(algorithm: Algorithm) -> ChecksumHasher {
    let mut hasher = ChecksumHasher::default();
    match algorithm {
        Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
        Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
        Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
        Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
        Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
    }
    hasher
}

fn value(hasher: ChecksumHasher) -> String {
    let sums = hasher.finalize();
    [
        sums.checksum_crc32,
        sums.checksum_crc32c,
        sums.checksum_crc64nvme,
        sums.checksum_sha1,
        sums.checksum_sha256,
    ]
    .into_iter()
    .flatten()
    .next()
    .unwrap_or_default()
}
