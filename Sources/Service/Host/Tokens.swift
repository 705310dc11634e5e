import Crypto
import EventLoop
import Glibc
package import HTTP1
package import System

/// Where the tokens are read from, at the start and at every reload.
package struct TokenSource {
  /// The administrator's own file; nil to look for the credential.
  package let file: String?

  package init(file: String?) { self.file = file }

  /// The tokens of the file, else those of the credential `token`; nil if there is neither.
  ///
  /// See `LoadCredential=` in systemd.exec(5).
  package func read() throws(TokenError) -> Tokens? {
    if let file { return try Tokens(file: file) }
    guard let folder = unsafe getenv("CREDENTIALS_DIRECTORY") else { return nil }
    let credential = unsafe String(cString: folder) + "/token"
    return unsafe access(credential, F_OK) == 0 ? try Tokens(file: credential) : nil
  }
}

/// Why there are no tokens. It says nothing of what is in a file.
package enum TokenError: Error, Equatable, CustomStringConvertible {
  case unreadable(String, SystemError)
  case noFewLines(String)
  case wrongCount(String, maximum: Int)
  case wrongToken(String, minimumLength: Int)
  /// At a reload: without them, the service would be open to every client.
  case noneAnyMore

  package var description: String {
    switch self {
    case .unreadable(let path, let error): "the token file \(path) cannot be read: \(error)"
    case .noFewLines(let path): "the token file \(path) is no file of a few lines"
    case .wrongCount(let path, let maximum):
      "the token file \(path) is to have 1 to \(maximum) tokens, a line each"
    case .wrongToken(let path, let minimumLength):
      "a token in \(path) is shorter than \(minimumLength) characters, or has a space in it; "
        + "make one with: openssl rand -hex 32"
    case .noneAnyMore: "there is no token any more, and the service was not started without one"
    }
  }
}

/// The tokens that open the service; any of several, so that one can be exchanged while both hold.
package struct Tokens {
  /// Shorter ones can be guessed.
  private static let minimumLength = 16
  /// More than an administrator rotates, and few enough to compare with all.
  private static let maximumCount = 16

  /// Digests are compared in constant time, and are all as long, whatever the tokens are.
  private let digests: [SHA256.Digest]

  /// Larger files hold no such lines; in bytes.
  private static let maximumFileSize = 16 * 1024

  /// Reads a file with a token on each line.
  package init(file path: String) throws(TokenError) {
    let bytes: [UInt8]
    do throws(SmallFile.Failure) { bytes = try SmallFile.read(path, atMost: Self.maximumFileSize - 1) } catch
    {
      if case .system(let error) = error { throw .unreadable(path, error) }
      throw .noFewLines(path)
    }
    let lines = bytes.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    guard !lines.isEmpty, lines.count <= Self.maximumCount else {
      throw .wrongCount(path, maximum: Self.maximumCount)
    }
    let isToken = { (line: ArraySlice<UInt8>) in line.allSatisfy { $0 > 0x20 && $0 < 0x7f } }
    guard lines.allSatisfy({ $0.count >= Self.minimumLength && isToken($0) }) else {
      throw .wrongToken(path, minimumLength: Self.minimumLength)
    }
    digests = lines.map { SHA256.hash(data: Array($0)) }
  }

  /// How many there are.
  package var count: Int { digests.count }

  /// Refuses a request that does not present one of them: as a bearer token (RFC 6750 §2.1), or as the password of
  /// `Basic` with any user (RFC 7617 §2), which browsers and monitors know.
  ///
  /// - Throws: 401 with `WWW-Authenticate` for both.
  package func check(_ request: RequestHead) throws(HTTPError) {
    let credentials = request.values("Authorization")
    guard credentials.count == 1, let credential = credentials.first else {
      throw Self.refusal(
        "Present a token: Authorization: Bearer TOKEN, or Basic with the token as the password.",
        bearer: #"Bearer realm="sluice""#)
    }
    let token = Self.token(in: credential)
    let digest = SHA256.hash(data: token ?? [])
    var isKnown = false
    // Every token is compared, the right one no sooner than the others.
    for known in digests where known == digest { isKnown = true }
    guard token != nil, isKnown else {
      throw Self.refusal(
        "This token opens nothing here.", bearer: #"Bearer realm="sluice", error="invalid_token""#)
    }
  }

  /// The token that a field's value presents; nil if it has neither of the two forms.
  private static func token(in credential: String) -> [UInt8]? {
    // RFC 9110 §11.4: 1*SP between the two.
    let parts = credential.split(separator: " ")
    guard parts.count == 2 else { return nil }
    switch parts[0].lowercased() {
    case "bearer": return Array(parts[1].utf8)
    case "basic": return BasicCredentials(parts[1])?.password
    default: return nil
    }
  }

  private static func refusal(_ detail: String, bearer: String) -> HTTPError {
    HTTPError(
      .unauthorized, detail,
      fields: [bearer, #"Basic realm="sluice", charset="UTF-8""#].map {
        FieldLine(name: "WWW-Authenticate", value: $0)
      })
  }
}
