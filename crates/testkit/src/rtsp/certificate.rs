//! Certificates of the RTSP server: what cameras show, and what trusts them.

/// What signed some of them: PEM.
pub const AUTHORITY: &str = include_str!("authority.pem");

/// What a camera shows, each for a hundred years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Certificate {
    /// For 127.0.0.1, signed by nobody.
    Loopback,
    /// For 127.0.0.1, signed by [`AUTHORITY`].
    Signed,
    /// For a host of another name, signed by [`AUTHORITY`].
    Elsewhere,
}

impl Certificate {
    /// Certificate and key as PEM.
    #[must_use]
    pub const fn pem(self) -> &'static str {
        match self {
            Self::Loopback => include_str!("loopback.pem"),
            Self::Signed => include_str!("signed.pem"),
            Self::Elsewhere => include_str!("elsewhere.pem"),
        }
    }

    /// Its name on the command line of the server.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Signed => "signed",
            Self::Elsewhere => "elsewhere",
        }
    }
}
