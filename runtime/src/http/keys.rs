//! Keys and their scopes. Only the hashes of the secrets are kept.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::scopes::{Scopes, UnknownScope};

/// The shortest secret that is accepted. SHA-256 without a salt protects only secrets that nobody can guess.
const SHORTEST_SECRET: usize = 16;

/// The longest text that is compared as a secret.
const LONGEST_SECRET: usize = 1024;

/// The keys of an API. Each key has a name, the scopes of its holder, and a secret.
///
/// Write one key on each line, in a file or an environment variable. A line that begins with `#` is a comment:
/// ```text
/// # name      scopes          secret, or sha256: and its hash in hexadecimal digits
/// dashboard   read            sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
/// shop        read,start      Zm9vYmFyYmF6cXV4Zm9vYmFy
/// operator    all             aVeryLongTextThatNobodyCanGuess0123456789
/// ```
/// A caller sends its secret in the header `x-functions-key`, as `Authorization: Bearer`, or in the query parameter
/// `code`. Create secrets with a generator (`openssl rand -base64 32`). They are hashed with SHA-256 and compared in
/// constant time, which protects only secrets that cannot be guessed, so secrets with fewer than 16 characters are
/// refused.
///
/// # Rotation
/// Several keys can be valid at the same time. Add the new key, restart, move the callers to it, then remove the old
/// key and restart again. Nobody is locked out in between. The URLs that a key obtained end together with that key.
///
/// # Examples
/// ```
/// use persevere::http::ApiKeys;
///
/// let keys: ApiKeys = "shop read,start Zm9vYmFyYmF6cXV4Zm9vYmFy".parse()?;
/// # let _ = keys;
/// # Ok::<(), persevere::http::KeysError>(())
/// ```
#[derive(Clone, Default)]
pub struct ApiKeys(Vec<ApiKey>);

#[derive(Clone)]
pub(super) struct ApiKey {
    name: String,
    pub(super) scopes: Scopes,
    pub(super) hash: SecretHash,
}

/// The SHA-256 hash of a secret. It has no `==`, so that it can only be compared in constant time.
#[derive(Clone, Copy)]
pub(super) struct SecretHash([u8; 32]);

impl SecretHash {
    fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl ConstantTimeEq for SecretHash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// The reason why a text contains no valid keys. The message never contains a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read. Check the path and the permissions.
    #[error("the key file {} cannot be read", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        error: std::io::Error,
    },
    /// The environment variable does not exist or is not text. Set it.
    #[error("the environment variable {variable} gives no keys")]
    Environment {
        /// The name of the variable.
        variable: String,
        /// The reason.
        #[source]
        error: env::VarError,
    },
    /// A line is not `name scopes secret`, which are three words separated by spaces.
    #[error("line {line} of the keys is not `name scopes secret`")]
    Line {
        /// The number of the line, starting at 1.
        line: usize,
    },
    /// A scope does not exist.
    #[error("line {line} of the keys has a scope that does not exist")]
    Scope {
        /// The number of the line, starting at 1.
        line: usize,
        /// The unknown scope.
        #[source]
        error: UnknownScope,
    },
    /// The secret is so short that it can be guessed. Create one with a generator, such as `openssl rand -base64 32`.
    #[error(
        "line {line} of the keys: the secret has {chars} characters, but a secret with fewer than 16 can be guessed: make one with `openssl rand -base64 32`"
    )]
    ShortSecret {
        /// The number of the line, starting at 1.
        line: usize,
        /// The number of characters in the secret.
        chars: usize,
    },
    /// The text after `sha256:` is not a hash: 64 hexadecimal digits, as `sha256sum` prints them.
    #[error("line {line} of the keys: the text after `sha256:` is not 64 hexadecimal digits")]
    Hash {
        /// The number of the line, starting at 1.
        line: usize,
    },
    /// Two keys have the same name or the same secret.
    #[error("line {line} of the keys: another key has the same name or the same secret")]
    Twice {
        /// The number of the second line, starting at 1.
        line: usize,
    },
    /// The text contains no keys. To run without keys, do not call [`HttpOptions::keys`](super::HttpOptions::keys).
    #[error("the text contains no keys: write one on each line, as `name scopes secret`")]
    None,
}

impl ApiKeys {
    /// Reads keys from a file.
    ///
    /// # Errors
    /// Returns [`KeysError::File`] if the file cannot be read, and another error if a line is wrong.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeysError> {
        let path = path.as_ref();
        fs::read_to_string(path).map_err(|error| KeysError::File { path: path.to_owned(), error })?.parse()
    }

    /// Reads keys from an environment variable, one on each line as in a file.
    ///
    /// # Errors
    /// Returns [`KeysError::Environment`] if the variable cannot be read, and another error if a line is wrong.
    pub fn from_env(variable: &str) -> Result<Self, KeysError> {
        env::var(variable).map_err(|error| KeysError::Environment { variable: variable.to_owned(), error })?.parse()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ApiKey> {
        self.0.iter()
    }

    /// Returns the key with this secret. The time that this takes reveals nothing about the keys, because every hash is
    /// compared completely.
    pub(super) fn find(&self, secret: &str) -> Option<(usize, &ApiKey)> {
        if secret.len() > LONGEST_SECRET {
            return None;
        }
        let hash = SecretHash::of(secret);
        let mut found = None;
        for (place, key) in self.0.iter().enumerate() {
            if bool::from(key.hash.ct_eq(&hash)) {
                found = Some((place, key));
            }
        }
        found
    }
}

impl FromStr for ApiKeys {
    type Err = KeysError;

    fn from_str(text: &str) -> Result<Self, KeysError> {
        let mut keys: Vec<ApiKey> = Vec::new();
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let key = parse_line(line, text)?;
            if keys.iter().any(|other| other.name == key.name || bool::from(other.hash.ct_eq(&key.hash))) {
                return Err(KeysError::Twice { line });
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(KeysError::None) } else { Ok(Self(keys)) }
    }
}

fn parse_line(line: usize, text: &str) -> Result<ApiKey, KeysError> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [name, scopes, secret] = words[..] else { return Err(KeysError::Line { line }) };
    let scopes = scopes.parse().map_err(|error| match may_be_secret(scopes) {
        true => KeysError::Line { line },
        false => KeysError::Scope { line, error },
    })?;
    let hash = match secret.strip_prefix("sha256:") {
        Some(digits) => parse_hash(digits).ok_or(KeysError::Hash { line })?,
        None if secret.chars().count() < SHORTEST_SECRET || secret.len() > LONGEST_SECRET => {
            return Err(KeysError::ShortSecret { line, chars: secret.chars().count() });
        }
        None => SecretHash::of(secret),
    };
    Ok(ApiKey { name: name.to_owned(), scopes, hash })
}

/// Returns whether a text in the place of the scopes may be a secret, because the words of the line are in another
/// order.
fn may_be_secret(scopes: &str) -> bool {
    scopes.len() >= SHORTEST_SECRET && scopes.split(',').all(|name| name.parse::<Scopes>().is_err())
}

fn parse_hash(digits: &str) -> Option<SecretHash> {
    let digits: Option<Vec<u8>> =
        digits.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(SecretHash(hash))
}

impl ApiKey {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|key| (&key.name, key.scopes))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_keys_that_are_found_by_their_secret() {
        let hash = Sha256::digest("0123456789abcdef").iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        let text = format!("# comment\n\n one read,start  a-secret-of-some-length \ntwo all sha256:{hash}\n");
        let keys: ApiKeys = text.parse().unwrap();
        assert_eq!(keys.find("a-secret-of-some-length").map(|(_, key)| key.name()), Some("one"));
        assert_eq!(keys.find("0123456789abcdef").map(|(_, key)| key.scopes), Some(Scopes::ALL));
        assert!(keys.find("a-secret-of-some-lengt").is_none());
        assert!(keys.find("").is_none());
        assert_eq!(format!("{keys:?}"), r#"{"one": read,start, "two": read,start,raise,manage,purge}"#);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for (text, says) in [
            ("", "no key"),
            ("# a", "no key"),
            ("a read", "line 1"),
            ("a read secretsecretsecret more", "line 1"),
            (
                "\na reed secretsecretsecret",
                "line 2 of the keys has a scope that does not exist: \"reed\" is not a scope",
            ),
            ("a secretsecretsecret read", "line 1 of the keys is not `name scopes secret`"),
            ("a secretsecret,secret read", "line 1 of the keys is not `name scopes secret`"),
            ("a read secretsecret123", "make one with"),
            ("a read sha256:00", "64 hexadecimal"),
            ("a read secretsecretsecret\na read secretsecretsecreT", "another key"),
            ("a read secretsecretsecret\nb read secretsecretsecret", "another key"),
        ] {
            let error = text.parse::<ApiKeys>().unwrap_err();
            let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let error = chain.map(ToString::to_string).collect::<Vec<_>>().join(": ");
            assert!(error.contains(says), "{text:?}: {error}");
            assert!(!error.contains("secretsecret"), "{error}");
        }
        assert!(matches!(ApiKeys::from_file("/nowhere/keys"), Err(KeysError::File { .. })));
        assert!(matches!(ApiKeys::from_env("PERSEVERE_NO_SUCH_VARIABLE"), Err(KeysError::Environment { .. })));
    }
}
