//! A TLS session that holds no buffer while it is idle.
//!
//! rustls does all of TLS. A session keeps only what can't go on at the moment:
//! the beginning of a record, decrypted bytes for which the reader has no room,
//! and encrypted bytes that the socket didn't take. Everything else passes
//! through memory that the sessions of a thread share.
//!
//! Sockets are called without waiting. What would have to wait fails with
//! `WouldBlock`, and is called again when the socket is ready.

#[cfg(test)]
pub(super) mod tests;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus,
};
use rustls::{Error, ServerConfig};

/// How many bytes one record can carry (RFC 8446, section 5.1).
const PLAINTEXT_BYTES: usize = 1 << 14;

/// The longest record, with its header (RFC 5246, section 6.2.3).
const RECORD_BYTES: usize = PLAINTEXT_BYTES + 2048 + 5;

/// How many bytes are kept of a message of the handshake that comes in many
/// records; rustls accepts none longer.
const HANDSHAKE_BYTES: usize = 1 << 16;

thread_local! {
    /// Whoever uses it takes it out, so that it is never used twice at a time.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends memory for some plaintext and for a record. It holds what others left
/// there.
fn with_scratch<T>(call: impl FnOnce(&mut [u8], &mut [u8]) -> T) -> T {
    let mut scratch = SCRATCH.take();
    scratch.resize(PLAINTEXT_BYTES + RECORD_BYTES, 0);
    let (plaintext, record) = scratch.split_at_mut(PLAINTEXT_BYTES);
    let result = call(plaintext, record);
    SCRATCH.set(scratch);
    result
}

/// The server's side of one connection.
pub(crate) struct Session {
    connection: UnbufferedServerConnection,
    /// An incomplete record, or the records of an incomplete message of the
    /// handshake, which rustls has begun to decrypt: these bytes must be shown
    /// to it at each call.
    incoming: Vec<u8>,
    /// Decrypted bytes that are still to be read.
    received: VecDeque<u8>,
    /// Encrypted bytes that are still to be sent.
    outgoing: Vec<u8>,
    reading: Reading,
}

/// Whether more can come from the client.
enum Reading {
    Open,
    /// The client has said that it sends nothing more.
    Closed,
    /// The client has broken a rule. rustls mustn't be called any more.
    Failed(Box<Error>),
}

impl Session {
    /// # Errors
    ///
    /// The configuration can't be used.
    pub(crate) fn new(config: Arc<ServerConfig>) -> io::Result<Session> {
        Ok(Session {
            connection: UnbufferedServerConnection::new(config).map_err(io::Error::other)?,
            incoming: Vec::new(),
            received: VecDeque::new(),
            outgoing: Vec::new(),
            reading: Reading::Open,
        })
    }

    /// Continues the handshake, up to the last byte that is to be sent.
    ///
    /// # Errors
    ///
    /// The client has ended the connection, or broken a rule, of which an alert
    /// was sent; the socket fails.
    pub(crate) fn handshake(&mut self, socket: &mut (impl Read + Write)) -> io::Result<()> {
        loop {
            self.is_readable()?;
            self.flush(socket)?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            self.receive(socket, &mut [])?;
        }
    }

    /// Reads some decrypted bytes; 0 if the client has said that it sends
    /// nothing more.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the connection ends without that word, `InvalidData`
    /// if the client breaks a rule, of which an alert was sent; the socket
    /// fails.
    pub(crate) fn read(
        &mut self,
        socket: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.received.is_empty() {
            if !self.is_readable()? {
                return Ok(0);
            }
            let filled = self.receive(socket, buffer)?;
            if filled > 0 {
                return Ok(filled);
            }
        }
        let filled = self.received.read(buffer)?;
        if self.received.is_empty() {
            self.received = VecDeque::new();
        }
        Ok(filled)
    }

    /// Encrypts some bytes, at most a record, once the previous ones are sent.
    ///
    /// # Errors
    ///
    /// The session has failed, or encrypts nothing more with its keys; the
    /// socket fails.
    pub(crate) fn write(
        &mut self,
        socket: &mut impl Write,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.flush(socket)?;
        with_scratch(|joined, record| {
            let plaintext = join(slices, joined);
            let encrypted = self.encrypt(plaintext, record);
            let length = encrypted.inspect_err(|_| self.send_alert(socket))?;
            let sent = match socket.write(&record[..length]) {
                Ok(sent) => sent,
                Err(error) if is_temporary(&error) => 0,
                Err(error) => return Err(error),
            };
            self.outgoing.extend_from_slice(&record[sent..length]);
            // Until the socket refuses some, after which it reports that it
            // takes more.
            match self.flush(socket) {
                Err(error) if !is_temporary(&error) => Err(error),
                _ => Ok(plaintext.len()),
            }
        })
    }

    /// Sends what is encrypted.
    ///
    /// # Errors
    ///
    /// The socket fails.
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            let sent = socket.write(&self.outgoing)?;
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.outgoing.drain(..sent);
        }
        self.outgoing = Vec::new();
        Ok(())
    }

    /// Returns whether everything is sent.
    pub(crate) fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Encrypts the word that nothing more is sent, once; a flush sends it.
    pub(crate) fn finish(&mut self) {
        if matches!(self.reading, Reading::Failed(_)) {
            return;
        }
        with_scratch(|_, record| {
            let status = self.connection.process_tls_records(&mut self.incoming);
            if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state
                && let Ok(length) = traffic.queue_close_notify(record)
            {
                self.outgoing.extend_from_slice(&record[..length]);
            }
        });
    }

    /// Returns the protocol that was agreed on.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// Returns the verified certificate of the client.
    pub(crate) fn client_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.connection.peer_certificates()?.first()
    }

    /// Returns whether more may come from the client.
    fn is_readable(&self) -> io::Result<bool> {
        match &self.reading {
            Reading::Open => Ok(true),
            Reading::Closed => Ok(false),
            Reading::Failed(error) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, error.as_ref().clone()))
            }
        }
    }

    /// Reads what has come, and decrypts it into `buffer`; what has no room
    /// there is read later.
    fn receive(
        &mut self,
        socket: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let filled = with_scratch(|_, shared| {
            let kept = self.incoming.len();
            // Much is appended rather than copied at each call, since a client
            // may send byte by byte.
            if kept > shared.len() / 2 {
                let read = read_some(socket, shared)?;
                let mut records = std::mem::take(&mut self.incoming);
                records.extend_from_slice(&shared[..read]);
                let (used, filled) = self.process(&mut records, buffer);
                self.incoming = if used == 0 { records } else { records[used..].to_vec() };
                return Ok(filled);
            }
            let read = read_some(socket, &mut shared[kept..])?;
            shared[..kept].copy_from_slice(&self.incoming);
            let records = &mut shared[..kept + read];
            let (used, filled) = self.process(records, buffer);
            self.incoming = records[used..].to_vec();
            Ok::<_, io::Error>(filled)
        })?;
        if self.incoming.len() > HANDSHAKE_BYTES {
            self.fail(Error::General("a message of the handshake is too long".to_owned()));
        }
        if matches!(self.reading, Reading::Failed(_)) {
            self.send_alert(socket);
        }
        Ok(filled)
    }

    /// Sends the alert of a failed session, if the socket takes it.
    fn send_alert(&mut self, socket: &mut impl Write) {
        let _ = self.flush(socket);
    }

    /// Shows records to rustls until it asks for more. Returns how many bytes of
    /// them aren't needed any more, and how many bytes of `buffer` are filled.
    fn process(&mut self, records: &mut [u8], buffer: &mut [u8]) -> (usize, usize) {
        let (mut used, mut filled) = (0, 0);
        loop {
            let UnbufferedStatus { discard, state, .. } =
                self.connection.process_tls_records(&mut records[used..]);
            used += discard;
            let failure = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                    match traffic.next_record() {
                        None => break None,
                        Some(Err(error)) => break Some(error),
                        Some(Ok(record)) => {
                            used += record.discard;
                            let room = record.payload.len().min(buffer.len() - filled);
                            let (fits, rest) = record.payload.split_at(room);
                            buffer[filled..filled + room].copy_from_slice(fits);
                            filled += room;
                            self.received.extend(rest);
                        }
                    }
                },
                Ok(ConnectionState::EncodeTlsData(data)) => {
                    encode(data, &mut self.outgoing);
                    None
                }
                // It is sent before anything that is encrypted later.
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    None
                }
                Ok(ConnectionState::PeerClosed) => {
                    // What comes after that is ignored (RFC 8446, section 6.1).
                    self.reading = Reading::Closed;
                    return (records.len(), filled);
                }
                // No configuration accepts early data, so there is none.
                Ok(_) => return (used, filled),
                Err(error) => Some(error),
            };
            if let Some(error) = failure {
                self.fail(error);
                return (records.len(), filled);
            }
        }
    }

    /// Encrypts a record's plaintext, and returns the length of the result.
    fn encrypt(&mut self, plaintext: &[u8], record: &mut [u8]) -> io::Result<usize> {
        if matches!(self.reading, Reading::Failed(_)) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let encrypted = match self.connection.process_tls_records(&mut self.incoming).state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.encrypt(plaintext, record),
            // Both sides have said that they send nothing more.
            _ => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        encrypted.map_err(|error| {
            if matches!(error, EncryptError::EncryptExhausted) {
                self.fail(Error::EncryptError);
            }
            io::Error::other(error)
        })
    }

    /// Ends the session, with the alert of rustls about that.
    fn fail(&mut self, error: Error) {
        self.incoming = Vec::new();
        // An alert comes before rustls looks at any record.
        while self.connection.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(data)) =
                self.connection.process_tls_records(&mut []).state
        {
            encode(data, &mut self.outgoing);
        }
        self.reading = Reading::Failed(Box::new(error));
    }
}

/// Appends a record of rustls's own.
fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, outgoing: &mut Vec<u8>) {
    let start = outgoing.len();
    while let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut outgoing[start..]) {
        outgoing.resize(start + size.required_size, 0);
    }
}

/// Reads at least one byte.
fn read_some(socket: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let read = socket.read(buffer)?;
    if read == 0 {
        let text = "the client has ended the connection without TLS's `close_notify`";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    Ok(read)
}

/// Returns the beginning of slices, copied to `joined` if they are several.
fn join<'a>(slices: &'a [IoSlice<'_>], joined: &'a mut [u8]) -> &'a [u8] {
    if let [single] = slices {
        return &single[..single.len().min(PLAINTEXT_BYTES)];
    }
    let mut filled = 0;
    for slice in slices {
        let room = slice.len().min(joined.len() - filled);
        joined[filled..filled + room].copy_from_slice(&slice[..room]);
        filled += room;
    }
    &joined[..filled]
}

/// Whether a call may succeed later.
fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
