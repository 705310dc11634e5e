import Crypto
import System

/// What is known of an archive that went by: its length, and hashes in hexadecimal by the names that rclone has for them.
package struct SentBytes {
  package private(set) var count: UInt64 = 0
  private var sha256 = SHA256()
  /// Of those that remotes have, the usual ones; they only compare what one program sent and another has.
  private var md5: Insecure.MD5?
  private var sha1: Insecure.SHA1?

  /// - Parameter forRemotes: whether all hashes are needed.
  package init(forRemotes: Bool) {
    if forRemotes { (md5, sha1) = (Insecure.MD5(), Insecure.SHA1()) }
  }

  package mutating func append(_ piece: [UInt8]) {
    count += UInt64(piece.count)
    sha256.update(data: piece)
    md5?.update(data: piece)
    sha1?.update(data: piece)
  }

  package var digest: [UInt8] { Array(sha256.finalize()) }

  package var hashes: [String: String] {
    var hashes = ["sha256": digest.hexadecimal]
    if let md5 { hashes["md5"] = Array(md5.finalize()).hexadecimal }
    if let sha1 { hashes["sha1"] = Array(sha1.finalize()).hexadecimal }
    return hashes
  }
}
