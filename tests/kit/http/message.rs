//! HTTP/1.1 requests and responses: reading, writing and looking into them.

use std::io::{self, BufRead, Write};

use serde_json::Value;

/// Headers in the order of the message. Their names are lowercase.
#[derive(Debug, Clone)]
struct Headers(Vec<(String, String)>);

impl Headers {
    /// Reads lines up to the empty line that ends the head of a message.
    fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut headers = Vec::new();
        loop {
            let line = read_line(reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self(headers))
    }

    /// Returns the value of a header, which must not occur more than once.
    fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} occurs more than once: {self:?}");
        value
    }

    /// Reads the body after the head, whose length is its `content-length`.
    fn read_body(&self, reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let length = self.get("content-length").map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(body)
    }
}

/// Reads the next chunk of a chunked body; returns `None` at its end.
pub(super) fn read_chunk(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let length = usize::from_str_radix(&read_line(reader)?, 16).map_err(io::Error::other)?;
    let mut chunk = vec![0; length + 2];
    reader.read_exact(&mut chunk)?;
    chunk.truncate(length);
    Ok((length > 0).then_some(chunk))
}

/// Reads a chunked body, which must have its last chunk.
fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = read_chunk(reader)? {
        body.extend(chunk);
    }
    Ok(body)
}

/// HTTP request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) version: String,
    headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads the next request, or returns `None` if the client has closed the connection.
    pub(crate) fn read(reader: &mut impl BufRead) -> Option<Self> {
        let line = read_line(reader).ok()?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path, version) = (words.next()?, words.next()?, words.next()?);
        let headers = Headers::read(reader).ok()?;
        let body = headers.read_body(reader).ok()?;
        Some(Self { method, path, version, headers, body })
    }

    /// Returns the first line of the request.
    pub(crate) fn line(&self) -> String {
        format!("{} {} {}", self.method, self.path, self.version)
    }

    /// Returns the value of a header, whose name must be lowercase.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

/// HTTP response.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Reads a response. An event stream has no length, so its body is left to be read in chunks.
    pub(super) fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let line = read_line(reader)?;
        let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status: {line}")))?;
        let headers = Headers::read(reader)?;
        let mut response = Self { status, headers, body: Vec::new() };
        if response.header("content-type") != Some("text/event-stream") {
            response.body = match response.header("transfer-encoding") {
                Some("chunked") => read_chunks(reader)?,
                coding => {
                    assert_eq!(coding, None);
                    response.headers.read_body(reader)?
                }
            };
        }
        Ok(response)
    }

    /// Returns the value of a header, whose name must be lowercase.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts that the response has this status, and returns its body as JSON.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// Asserts that the response has this status and is a problem (RFC 9457), and returns its detail
    /// text.
    pub(crate) fn problem(&self, status: u16) -> String {
        let body = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(body["status"], status);
        assert!(body["type"].as_str().unwrap().starts_with("urn:longshore:problem:"), "{body}");
        body["detail"].as_str().unwrap().to_owned()
    }
}

/// Reads a line without its end.
pub(super) fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// Returns the bytes of a request. `headers` does not contain the length of the body.
pub(crate) fn request(
    method: &str,
    path: &str,
    host: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    // One allocation, because benchmarks make a request for each call.
    let mut bytes = Vec::with_capacity(256 + body.len());
    write!(bytes, "{method} {path} HTTP/1.1\r\nhost: {host}\r\n").unwrap();
    for (name, value) in headers {
        write!(bytes, "{name}: {value}\r\n").unwrap();
    }
    if !body.is_empty() || matches!(method, "POST" | "PATCH" | "PUT") {
        write!(bytes, "content-length: {}\r\n", body.len()).unwrap();
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Returns the bytes of a response with a `content-length`. Each line of `headers` ends with `\r\n`.
pub(crate) fn response(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Returns the bytes of a response with status 200 and a JSON body.
pub(crate) fn json_response(body: &str) -> Vec<u8> {
    response("200 OK", "content-type: application/json\r\n", body)
}
