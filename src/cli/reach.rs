//! From what a plan says about the way to a side to what the transport needs: files are read, secrets looked up, names resolved to values.

use crate::base::secret::Secret;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::secrets::Secrets;
use crate::plan::reach::{CertificateFile, ReachPlan, TlsBackend};
use crate::transport::{
    Backend, Identity, IdentityFault, Proxy, Reach, Trust, certificates, has_legacy_tls,
};

/// A certificate file larger than this is something else.
const FILE_MAX: u64 = 1_000_000;

/// The way to a side.
pub fn reach(plan: &ReachPlan, secrets: &Secrets) -> Result<Reach, CommandError> {
    if plan.backend == TlsBackend::Legacy && !has_legacy_tls() {
        let message = "the plan asks for legacy TLS, and this build has none";
        return Err(CommandError::new(Exit::Refused, message).hint(LEGACY_HINT));
    }
    let roots = match &plan.ca {
        None => Vec::new(),
        Some(name) => {
            let found = certificates(&read(name, secrets)?);
            if found.is_empty() {
                let message = format!("{name} holds no certificate");
                return Err(CommandError::new(Exit::Refused, message)
                    .hint("give the authority's certificate as PEM or DER"));
            }
            found
        }
    };
    let own = plan.certificate.as_ref();
    let own = own.map(|file| identity(file, secrets)).transpose()?;
    let proxy = plan.proxy.as_ref().map(|proxy| {
        let login = proxy.login.as_ref().map(|(user, name)| {
            let pass = secrets.get(name, "the password of the proxy")?;
            Ok::<_, CommandError>((user.clone(), pass))
        });
        Ok::<_, CommandError>(Proxy {
            host: proxy.host.clone(),
            port: proxy.port,
            login: login.transpose()?,
        })
    });
    let resolve = plan
        .resolve
        .iter()
        .filter_map(|(host, to)| Some((host.clone(), to.parse().ok()?)));
    Ok(Reach {
        trust: Trust {
            roots,
            pin: plan.pin.as_deref().and_then(digits),
            identity: own,
            backend: match plan.backend {
                TlsBackend::Auto => Backend::Auto,
                TlsBackend::Modern => Backend::Modern,
                TlsBackend::Legacy => Backend::Legacy,
            },
        },
        proxy: proxy.transpose()?,
        resolve: resolve.collect(),
    })
}

/// What to type where a server speaks CBC suites only.
pub const LEGACY_HINT: &str = "build mailferry with `cargo build --release --features legacy-tls`; it then uses the system's TLS library where \
     the other shares no suite. Or give Exchange an ECDSA certificate, or put it on Windows Server 2016";

/// A certificate with its key.
pub fn identity(file: &CertificateFile, secrets: &Secrets) -> Result<Identity, CommandError> {
    let password: Option<Secret> = match &file.password_env {
        Some(name) => Some(secrets.get(name, "the password of the certificate")?),
        None => None,
    };
    let bytes = zeroize::Zeroizing::new(read(&file.path, secrets)?);
    Identity::read(&bytes, password.as_ref()).map_err(|fault| {
        let hint = match fault {
            IdentityFault::NeedsPassword => {
                "name the variable that holds it: password_env = \"NAME\" beside `certificate`"
            }
            IdentityFault::WrongPassword => "check the variable named by `password_env`",
            IdentityFault::NoKey | IdentityFault::NoCertificate => {
                "put certificate and private key into one PEM file, or export a PFX with its key"
            }
            IdentityFault::OtherKey => "put the certificate of this key first in the file",
            IdentityFault::NotReadable => "give a PEM or PFX file",
            IdentityFault::NotRsa => "use an RSA key of 2,048 to 8,192 bits",
        };
        CommandError::new(Exit::Refused, format!("{}: {fault}", file.path)).hint(hint)
    })
}

/// A file beside the plan.
fn read(name: &str, secrets: &Secrets) -> Result<Vec<u8>, CommandError> {
    let path = secrets.beside(name);
    let found = std::fs::metadata(&path);
    let len = found
        .map_err(|error| CommandError::file(&path, &error))?
        .len();
    if len > FILE_MAX {
        let message = format!("{} is too large for a certificate", path.display());
        return Err(CommandError::new(Exit::Refused, message).hint("name a PEM or PFX file"));
    }
    std::fs::read(&path).map_err(|error| CommandError::file(&path, &error))
}

fn digits(pin: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(pin.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(out)
}
