//! The code in a returned URL, which replaces a key: the right to use one instance for a limited time.
//!
//! ```text
//! body = kind 1 │ scopes 1 │ expiry 8 │ SHA-256 of the instance id 32        (bytes)
//! code = base64url( body │ HMAC-SHA256(secret, body) )
//! ```
//! Each key signs with a separate secret, so that everything it obtained ends with it. The server also has a secret,
//! for the URLs that the program itself hands out. It is derived from the operator's secret or created by the process,
//! because the holders of the keys could compute whatever follows from the keys alone. Nothing is stored: whoever has
//! the secret can verify what was signed.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::keys::ApiKeys;
use super::scopes::Scopes;

/// The kind of the code, which determines its form. Another form would have another kind.
const KIND: u8 = 1;
const BODY: usize = 42;
const CODE: usize = BODY + 32;

/// The rights that a code gives to its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capability {
    /// The number of the signer.
    pub(super) signer: usize,
    pub(super) scopes: Scopes,
    /// Seconds since the Unix epoch.
    pub(super) expires: i64,
    instance: [u8; 32],
}

impl Capability {
    /// Returns whether the code is for this instance.
    pub(super) fn fits(&self, id: &str) -> bool {
        self.instance == hash(id)
    }
}

/// Signs and checks codes. The first signer is the server, and the others are the keys in their order.
pub(super) struct Signers(Vec<Signer>);

struct Signer {
    mac: Hmac<Sha256>,
    scopes: Scopes,
}

/// A secret that nobody can guess and that ends with this process: 244 random bits.
static OF_PROCESS: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut secret = [0; 32];
    secret.chunks_exact_mut(16).for_each(|half| half.copy_from_slice(Uuid::new_v4().as_bytes()));
    secret
});

/// The number of the server's signer.
pub(super) const SERVER: usize = 0;

impl Signers {
    /// Creates a signer for the server and one for each key. If the operator has set a secret, all of them depend on it
    /// too.
    pub(super) fn new(keys: &ApiKeys, secret: Option<&[u8]>) -> Self {
        // Without a secret, anyone who can read the hash of a key can sign with it: see `HttpOptions::signing_secret`.
        let root = secret.unwrap_or_default();
        let mut hashes: Vec<_> = keys.iter().map(|key| *key.hash.bytes()).collect();
        let own = keys.iter().map(|key| Signer { mac: derive(root, "key", &[*key.hash.bytes()]), scopes: key.scopes });
        let own: Vec<_> = own.collect();
        // A secret is valid for all keys and processes. Without one, the codes of the server end when a key or the
        // process changes.
        hashes.sort_unstable();
        let server = match secret {
            Some(root) => derive(root, "server", &[]),
            None => derive(&*OF_PROCESS, "server", &hashes),
        };
        Self(std::iter::once(Signer { mac: server, scopes: Scopes::ALL }).chain(own).collect())
    }

    pub(super) fn sign(&self, signer: usize, id: &str, scopes: Scopes, expires: i64) -> Option<String> {
        let signer = self.0.get(signer)?;
        let mut code = Vec::with_capacity(CODE);
        code.extend([KIND, (scopes & signer.scopes).bits()]);
        code.extend(expires.to_be_bytes());
        code.extend(hash(id));
        let mac = signer.mac.clone().chain_update(&code).finalize().into_bytes();
        code.extend(mac);
        Some(BASE64_URL_SAFE_NO_PAD.encode(code))
    }

    /// Returns the contents of the code, if one of the signers has signed it. This does not check whether the code is
    /// still valid or what it permits.
    pub(super) fn check(&self, code: &str) -> Option<Capability> {
        if code.len() > CODE * 2 {
            return None;
        }
        let code = BASE64_URL_SAFE_NO_PAD.decode(code).ok().filter(|code| code.len() == CODE)?;
        let (body, mac) = code.split_at_checked(BODY)?;
        let mut found = None;
        for (place, signer) in self.0.iter().enumerate() {
            if signer.mac.clone().chain_update(body).verify_slice(mac).is_ok() {
                found = Some((place, signer));
            }
        }
        let (signer, by) = found.filter(|_| body[0] == KIND)?;
        let expires = i64::from_be_bytes(body.get(2..10)?.try_into().ok()?);
        let instance = body.get(10..)?.try_into().ok()?;
        // If a key now has fewer rights than before, the codes that it obtained have fewer rights too.
        Some(Capability { signer, scopes: Scopes::from_bits(body[1]) & by.scopes, expires, instance })
    }
}

impl std::fmt::Debug for Signers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signers({})", self.0.len())
    }
}

fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

/// Derives a secret for one purpose.
fn derive(root: &[u8], purpose: &str, parts: &[[u8; 32]]) -> Hmac<Sha256> {
    let mut mac = keyed(root);
    mac.update(b"persevere capability 1 ");
    mac.update(purpose.as_bytes());
    parts.iter().for_each(|part| mac.update(part));
    keyed(&mac.finalize().into_bytes())
}

/// Creates an HMAC with the hash of a secret as its key, because the hash always has the same length.
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&Sha256::digest(secret));
    Hmac::new(&block.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> ApiKeys {
        text.parse().unwrap()
    }

    const A: &str = "a read,start aaaaaaaaaaaaaaaaaaaa";
    const B: &str = "b all bbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn a_code_says_what_was_signed_and_no_more_than_its_key_may() {
        let signers = Signers::new(&keys(A), None);
        let code = signers.sign(1, "order-1", Scopes::READ | Scopes::PURGE, 77).unwrap();
        let capability = signers.check(&code).unwrap();
        assert_eq!((capability.signer, capability.scopes, capability.expires), (1, Scopes::READ, 77));
        assert!(capability.fits("order-1") && !capability.fits("order-2"));
        assert!(code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{code}");
    }

    #[test]
    fn every_changed_bit_is_seen() {
        let signers = Signers::new(&keys(A), None);
        let code = signers.sign(1, "x", Scopes::READ, 1).unwrap();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&code).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(signers.check(&BASE64_URL_SAFE_NO_PAD.encode(changed)), None, "bit {bit}");
        }
        for text in ["", "x", "!", &code[1..], &format!("{code}A"), &"A".repeat(10_000)] {
            assert_eq!(signers.check(text), None, "{text}");
        }
    }

    #[test]
    fn a_code_ends_with_its_key_and_with_no_other() {
        let both = Signers::new(&keys(&format!("{A}\n{B}")), None);
        let (of_a, of_b) = (both.sign(1, "x", Scopes::READ, 1).unwrap(), both.sign(2, "x", Scopes::READ, 1).unwrap());
        let only_b = Signers::new(&keys(B), None);
        assert_eq!(only_b.check(&of_a), None);
        assert_eq!(only_b.check(&of_b).map(|capability| capability.signer), Some(1));
        // A restart with the same keys in another order changes nothing.
        let again = Signers::new(&keys(&format!("{B}\n{A}")), None);
        assert_eq!(again.check(&of_a).map(|capability| capability.signer), Some(2));
    }

    /// The holder of the only key knows every hash that exists.
    #[test]
    fn the_holder_of_a_key_cannot_sign_as_the_server() {
        let keys = keys("reader read aaaaaaaaaaaaaaaaaaaa");
        let hashes: Vec<_> = keys.iter().map(|key| *key.hash.bytes()).collect();
        let mac = derive(&[], "server", &hashes);
        let forger = Signers(vec![Signer { mac, scopes: Scopes::ALL }]);
        let forged = forger.sign(SERVER, "x", Scopes::ALL, i64::MAX).unwrap();
        assert_eq!(Signers::new(&keys, None).check(&forged), None);
    }

    #[test]
    fn the_servers_codes_hang_on_the_keys_or_on_the_secret() {
        let sign = |signers: &Signers| signers.sign(SERVER, "x", Scopes::ALL, 1).unwrap();
        let (one, two) = (Signers::new(&keys(A), None), Signers::new(&keys(&format!("{B}\n{A}")), None));
        assert_eq!(one.check(&sign(&two)), None);
        assert!(Signers::new(&keys(&format!("{A}\n{B}")), None).check(&sign(&two)).is_some());
        let (one, two) = (Signers::new(&keys(A), Some(b"s")), Signers::new(&keys(B), Some(b"s")));
        assert!(one.check(&sign(&two)).is_some());
        assert_eq!(Signers::new(&keys(A), Some(b"t")).check(&sign(&two)), None);
    }
}
