//! The socket of an SSH agent: one question, one answer, and no waiting without an end.

use std::path::Path;

use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::secrets::agent_socket;
use crate::evidence::agent::{ANSWER_MAX, AgentFault, Asked, read_public};

/// Has the agent sign, with the key whose public half stands in `text`.
pub(super) fn sign(
    path: &Path,
    text: &str,
    document: &[u8],
    namespace: &'static str,
) -> Result<String, CommandError> {
    let explain = |fault: AgentFault| refuse(path, &fault);
    let key = read_public(text).map_err(explain)?;
    let asked = Asked::new(key, document, namespace).map_err(explain)?;
    let Some(socket) = agent_socket() else {
        return Err(CommandError::new(
            Exit::Refused,
            format!(
                "{} is a public key, and no SSH agent is named in SSH_AUTH_SOCK",
                path.display()
            ),
        )
        .hint("start an agent and ssh-add the key, or name the private key"));
    };
    let answer = ask(&socket, asked.message()).map_err(|error| {
        CommandError::new(
            Exit::Refused,
            format!(
                "the SSH agent at {} does not answer: {error}",
                socket.display()
            ),
        )
        .hint("ssh-add -l shows whether it is alive; a token may wait to be touched")
    })?;
    asked.armour(&answer).map_err(explain)
}

fn refuse(path: &Path, fault: &AgentFault) -> CommandError {
    let hint = match fault {
        AgentFault::Refused => "ssh-add -l lists the keys it holds; add the key and sign again",
        AgentFault::Unreadable => {
            "sign with ssh-keygen -Y sign and hand the file over with --signature"
        }
        AgentFault::NoKey => "name a key in OpenSSH's format",
    };
    CommandError::new(Exit::Refused, format!("{}: {fault}", path.display())).hint(hint)
}

/// The agent's answer, without the length before it.
#[cfg(unix)]
fn ask(socket: &Path, message: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use crate::base::limits::AGENT_PATIENCE;

    let patience = Some(AGENT_PATIENCE.to_std());
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(patience)?;
    stream.set_write_timeout(patience)?;
    stream.write_all(message)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > ANSWER_MAX {
        return Err(std::io::Error::other("an answer of impossible length"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(not(unix))]
fn ask(_: &Path, _: &[u8]) -> std::io::Result<Vec<u8>> {
    Err(std::io::Error::other(
        "agents are asked over a Unix socket; hand over what ssh-keygen -Y sign writes",
    ))
}
