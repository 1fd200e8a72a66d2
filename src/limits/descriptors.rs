//! How many files and sockets the process may have open. Clients get what is left when the server has what it needs itself:
//! with none left it could not reach its database, and nobody would be served.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files and sockets that are no clients': of the database, of Redis, for tokens' keys and the log.
const OWN: usize = 256;

/// Asks the system for as many as it may give. It gives few unless asked, for programs that cannot count further.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let asked = Rlimit {
        current: maximum,
        maximum,
    };
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, asked)
    {
        tracing::debug!(error = %error, "the number of open files stays as it is");
    }
}

/// TCP connections of clients that leave enough for the server itself; `None` if the system does not limit them.
pub(super) fn max_streams() -> Option<usize> {
    let current = getrlimit(Resource::Nofile).current?;
    Some(streams(usize::try_from(current).unwrap_or(usize::MAX)))
}

/// Of so many, or half of them if they are few.
fn streams(descriptors: usize) -> usize {
    descriptors.saturating_sub(OWN).max(descriptors / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_some_for_the_server() {
        for (descriptors, expected) in
            [(0, 0), (100, 50), (512, 256), (1024, 768), (65_536, 65_280)]
        {
            assert_eq!(streams(descriptors), expected);
        }
    }
}
