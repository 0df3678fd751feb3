//! Which cameras' certificates are accepted beside those that this system trusts.

use std::path::Path;
use std::sync::Arc;

use gio::prelude::*;

/// The lines between which a certificate stands.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Certificates of a file, as text: the library's own objects stay on one thread. Cheap to clone.
///
/// Two kinds of them help. Whoever shows one of these very certificates is accepted whatever name or time stands in it: the handshake
/// proves that it has the key. It is accepted at the address of every camera, not of one alone: who has the key of one camera can stand in
/// for any other. One that signs others is trusted like those of the system: the name of the camera must be right. A camera's own
/// certificate that says that it may sign (`CA:TRUE`, as many self-signed ones do) is of both kinds.
#[derive(Clone, Debug, Default)]
pub struct Trust(Arc<[String]>);

impl Trust {
    /// Reads a PEM file; anything between its certificates is left out.
    ///
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub fn read(file: &Path) -> Result<Self, String> {
        let wrong = |reason: &str| format!("{}: {reason}", file.display());
        let text = std::fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
        let parts = text.split(BEGIN).skip(1);
        let certificates = parts.map(|part| {
            let (body, _) = part.split_once(END)?;
            Some(format!("{BEGIN}{body}{END}\n")).filter(|pem| gio::TlsCertificate::from_pem(pem).is_ok())
        });
        let mut read = Vec::new();
        for (index, certificate) in certificates.enumerate() {
            read.push(certificate.ok_or_else(|| wrong(&format!("certificate {} cannot be read", index + 1)))?);
        }
        if read.is_empty() {
            return Err(wrong(
                "there is no certificate in it: PEM files have them between lines like -----BEGIN CERTIFICATE-----",
            ));
        }
        Ok(Self(read.into()))
    }

    /// About a certificate that this system does not accept, for the reasons in `flaws`.
    pub(crate) fn judge(
        &self,
        shown: &gio::TlsCertificate,
        server: Option<&gio::SocketConnectable>,
        mut flaws: gio::TlsCertificateFlags,
    ) -> Result<(), &'static str> {
        for trusted in self.0.iter().filter_map(|pem| gio::TlsCertificate::from_pem(pem).ok()) {
            let left = shown.verify(server, Some(&trusted));
            // Of a connection to nobody in particular the name has not been compared.
            let signed = left.is_empty() && server.is_some();
            if signed || shown.is_same(&trusted) {
                return Ok(());
            }
            // It is the right one, and something else is wrong.
            if !left.contains(gio::TlsCertificateFlags::UNKNOWN_CA) {
                flaws = left;
            }
        }
        Err(flaw(flaws))
    }
}

fn flaw(flaws: gio::TlsCertificateFlags) -> &'static str {
    use gio::TlsCertificateFlags as Flags;
    if flaws.contains(Flags::UNKNOWN_CA) {
        "the camera's certificate is not trusted: add it to a PEM file and name that as `ingest.trust`"
    } else if flaws.contains(Flags::BAD_IDENTITY) {
        "the camera's certificate is for another name than its address: add it to a PEM file and name that as `ingest.trust`"
    } else if flaws.intersects(Flags::EXPIRED | Flags::NOT_ACTIVATED) {
        "the camera's certificate has expired or is not valid yet: add it to a PEM file and name that as `ingest.trust`"
    } else {
        "the camera's certificate cannot be accepted"
    }
}
