import Backup
import Crypto
import Glibc
import HTTP1

/// Where the tokens are read from, at the start and at every reload.
struct TokenSource {
  /// `--token-file`.
  let file: String?

  /// The tokens of the file, else those of the credential `token`; nil if there is neither.
  ///
  /// See `LoadCredential=` in systemd.exec(5).
  /// - Throws: a `Failure`.
  func read() throws -> Tokens? {
    if let file { return try Tokens(file: file) }
    guard let folder = unsafe getenv("CREDENTIALS_DIRECTORY") else { return nil }
    let credential = unsafe String(cString: folder) + "/token"
    return unsafe access(credential, F_OK) == 0 ? try Tokens(file: credential) : nil
  }
}

/// The bearer tokens that open the service; any of several, so that one can be exchanged while both hold.
///
/// RFC 6750.
struct Tokens {
  /// Shorter ones can be guessed.
  private static let minimumLength = 16
  /// More than anyone rotates, and few enough to compare with all.
  private static let maximumCount = 16

  /// Digests are compared in constant time, and are all as long, whatever the tokens are.
  private let digests: [SHA256.Digest]

  /// Reads a file with a token on each line.
  ///
  /// - Throws: a `Failure` that says what is wrong with the file, and nothing of what is in it.
  init(file path: String) throws {
    // A pipe that nobody writes to must not be waited for.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw Failure(
        description: "the token file \(path) cannot be read: \(unsafe String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 16 * 1024)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    guard count >= 0, count < bytes.count else {
      throw Failure(description: "the token file \(path) is no file of a few lines")
    }
    let lines = bytes[..<count].split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    guard !lines.isEmpty, lines.count <= Self.maximumCount else {
      throw Failure(
        description: "the token file \(path) is to have 1 to \(Self.maximumCount) tokens, a line each")
    }
    let isToken = { (line: ArraySlice<UInt8>) in line.allSatisfy { $0 > 0x20 && $0 < 0x7f } }
    guard lines.allSatisfy({ $0.count >= Self.minimumLength && isToken($0) }) else {
      throw Failure(
        description:
          "a token in \(path) is shorter than \(Self.minimumLength) characters, or has a space in it; "
          + "make one with: openssl rand -hex 32")
    }
    digests = lines.map { SHA256.hash(data: Array($0)) }
  }

  /// How many there are.
  var count: Int { digests.count }

  /// Refuses a request that does not show one of them.
  ///
  /// - Throws: 401 with `WWW-Authenticate`: RFC 6750 §3.
  func check(_ request: RequestHead) throws(HTTPError) {
    let credentials = request.values("Authorization")
    guard credentials.count == 1, let credential = credentials.first else {
      throw Self.refusal("Show a token: Authorization: Bearer TOKEN.", challenge: #"Bearer realm="sluice""#)
    }
    // RFC 9110 §11.4: 1*SP between the two.
    let parts = credential.split(separator: " ")
    let isBearer = parts.count == 2 && parts[0].lowercased() == "bearer"
    let digest = SHA256.hash(data: Array((isBearer ? parts[1] : "").utf8))
    var isKnown = false
    // Every token is compared, the right one no sooner than the others.
    for known in digests where known == digest { isKnown = true }
    guard isBearer, isKnown else {
      throw Self.refusal(
        "This token opens nothing here.", challenge: #"Bearer realm="sluice", error="invalid_token""#)
    }
  }

  private static func refusal(_ detail: String, challenge: String) -> HTTPError {
    HTTPError(.unauthorized, detail, fields: [FieldLine(name: "WWW-Authenticate", value: challenge)])
  }
}
