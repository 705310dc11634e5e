import Archive
package import HTTP1

extension BackupService {
  /// How many names are remembered of archives that are gone: 8 bytes each.
  private static let usedNameCount = 4096

  /// What a request is answered with.
  package enum Plan {
    /// A new archive, or a part of it.
    case new(ByteRange?)
    /// A part of an archive that is held.
    case part(ByteRange, Transfer)
    /// The head of an archive that is held.
    case head(Transfer)
  }

  /// Decides between a new archive and one that is held.
  ///
  /// - Parameter isStored: whether a new archive would have a length from the beginning.
  /// - Throws: 412 and 428 to a client that an archive from its beginning must not be sent to.
  package func plan(_ request: RequestHead, isStored: Bool) async throws(HTTPError) -> Plan {
    let range = ByteRange(of: request)
    let match = try EntityTags("If-Match", of: request)
    // A date instead of a tag is none of ours, and there is no "*": RFC 9110 §13.1.5.
    var ifRange = try? EntityTags("If-Range", of: request)
    if ifRange == .any || request.method == .head { ifRange = nil }
    let isUnconditional = request.values("If-Range").isEmpty || request.method == .head
    let transfer = transfers.last { transfer in
      guard transfer.target == request.target.text, transfer.length != nil || !request.joinsOnlyWithLength
      else { return false }
      if let tags = match ?? ifRange { return tags.names(transfer.preamble.tag) }
      return request.isNamed && isUnconditional
    }
    if let transfer, match != .any {
      if request.method == .head { return .head(transfer) }
      if let range, await transfer.holds(range) { return .part(range, transfer) }
    }
    if case .list = match {
      throw HTTPError(
        .preconditionFailed, "The archive that If-Match names is not kept any more. Ask for a new one.")
    }
    // RFC 9110 §13.1.5: what If-Range does not hold for is sent whole.
    guard let range, isUnconditional else { return .new(nil) }
    guard request.isNamed else {
      // RFC 9110 §14.2 would have the field ignored. But there are clients that take the answer's rest for the rest of
      // another archive, and call it whole.
      guard range.isFromStart else {
        throw HTTPError(
          .preconditionRequired,
          "Each request makes another archive, and Range does not tell of which one its bytes are to be. Send If-Range "
            + "with its ETag, or begin again with a name: ?resume=NAME.")
      }
      return .new(nil)
    }
    // The first request by a name may be for any part, if what follows will be of the same archive. But a client that asks
    // for all from some byte on has what is before it, and of another archive.
    if case .from(1...) = range {
    } else if isStored, transfer == nil, resumeGrace > .zero, isNew(request.target.text) {
      return .new(range)
    }
    guard range.isFromStart else {
      throw HTTPError(
        .preconditionFailed,
        "The archive that was asked for by this name is not kept, or not that part of it. Ask for a new one, by a new name."
      )
    }
    return .new(nil)
  }

  /// Whether no archive of this name is known to be gone.
  package func isNew(_ target: String) -> Bool { !usedNames.contains(target.hashValue) }

  /// Remembers a name by which an archive was asked for that is gone.
  package func noteUse(of target: String) {
    guard isNew(target) else { return }
    usedNames.append(target.hashValue)
    if usedNames.count > Self.usedNameCount { usedNames.removeFirst() }
  }

  /// Sends the head of an archive that is held.
  package func describe(_ transfer: Transfer, to response: Response) async throws {
    _ = try await response.begin(transfer.preamble.head, contentLength: transfer.length)
  }
}

extension RequestHead {
  /// Whether the client has a name of its own for the archive.
  package var isNamed: Bool { target.query.contains { $0.name == "resume" } }

  /// Whether the client must not be sent a part of an archive whose length is not known yet: lftp 4.9.2 writes it over the
  /// beginning of its file, and calls that whole.
  fileprivate var joinsOnlyWithLength: Bool {
    needsLength || values("User-Agent").contains { $0.utf8.starts(with: "lftp/".utf8) }
  }
}
