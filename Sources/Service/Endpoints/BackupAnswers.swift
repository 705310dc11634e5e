package import Archive
package import HTTP1
import System

extension BackupSession.Preamble {
  /// The state, and which of the archives of that state this one is: they differ in when they were made, and a
  /// strong tag names bytes (RFC 9110 §8.8.1).
  package var tag: EntityTag { EntityTag(strong: "\(state)-\(id)") }

  package var head: ResponseHead {
    var head = ResponseHead(delta == nil ? .ok : .imUsed)
    head.add("ETag", tag.text)
    if let delta {
      // RFC 3229 §10.5.1 and §10.5.2.
      head.add("IM", delta.isGzipped ? "vcdiff, gzip" : "vcdiff")
      head.add("Delta-Base", EntityTag(strong: delta.base).text)
    }
    // Only what is stored is ever sent as a delta.
    if archiveSize != nil { head.add("Vary", "A-IM") }
    head.add("Accept-Ranges", "bytes")
    head.add("Content-Type", "application/zip")
    head.add("Content-Disposition", ContentDisposition.attachment(filename: fileName))
    // A proxy that compressed it again would take its length away: RFC 9110 §7.7.
    head.add("Cache-Control", "no-store, no-transform")
    // nginx would otherwise read ahead of the client, onto its own disk.
    head.add("X-Accel-Buffering", "no")
    if !skipped.isEmpty { head.fields.append(FieldLine(skipped: skipped)) }
    return head
  }

  /// The head for a client that has the archive: of what it would have got, the fields that RFC 9110 §15.4.5 asks for.
  ///
  /// - Parameter tag: by which the client has it.
  package func unchangedHead(_ tag: EntityTag) -> ResponseHead {
    let fields = head.fields.filter { ["Cache-Control", "Vary"].contains($0.name) }
    return ResponseHead(.notModified, fields: [FieldLine(name: "ETag", value: tag.text)] + fields)
  }
}

extension FieldLine {
  /// In bytes: with more, the head would be too large for many a proxy and client.
  private static let maximumSkippedLength = 2048

  /// `Sluice-Skipped: a.db;reason=locked, b%20c.db;reason=permission`
  fileprivate init(skipped: [Skipped]) {
    var length = 0
    var members: [String] = []
    for skipped in skipped {
      let member = "\(FieldLine.percentEncoded(skipped.path));reason=\(skipped.reason)"
      length += member.utf8.count + 2
      guard length <= Self.maximumSkippedLength else { break }
      members.append(member)
    }
    if skipped.count > members.count { members.append("...;more=\(skipped.count - members.count)") }
    self.init(name: "Sluice-Skipped", value: members.joined(separator: ", "))
  }
}

extension BackupError {
  /// The answer to a request that got no archive.
  package func answer(_ advice: Advice) -> HTTPError {
    let text = advice.added(to: description, for: reason)
    return switch self {
    case .invalidName: HTTPError(.badRequest, text)
    case .unknownDatabase: HTTPError(.notFound, text)
    case .incomplete(let skipped): HTTPError(.serviceUnavailable, text, fields: [FieldLine(skipped: skipped)])
    case .dataDirectory, .tooManyFiles, .tooLarge, .system: HTTPError(.serviceUnavailable, text)
    case .reading, .changed, .snapshotTooOld, .walGrewTooMuch, .spaceLow, .zip, .cancelled:
      HTTPError(.internalServerError, text)
    }
  }
}

extension TransferError {
  /// The answer to a request that got no archive.
  package var answer: HTTPError {
    switch self {
    case .noSlot(let running):
      HTTPError(
        .serviceUnavailable,
        "\(counted(running, "backup")) \(running == 1 ? "is" : "are") running, as many as may at once. Retry after the seconds in Retry-After.",
        fields: [FieldLine(name: "Retry-After", value: "10")])
    case .notHeld:
      HTTPError(.preconditionFailed, "The archive is not kept any more. Ask for a new one.")
    case .unsatisfiable(let length):
      HTTPError(
        .rangeNotSatisfiable, "It has no such bytes.", fields: [ByteRange.unsatisfied(length: length)])
    }
  }
}

extension ResumeDecision {
  /// The answer to a request that gets no archive; nil if it gets one.
  package var refusal: HTTPError? {
    switch self {
    case .new, .part, .head, .unsatisfiable: nil
    case .tagNotHeld:
      HTTPError(
        .preconditionFailed, "The archive that If-Match names is not kept any more. Ask for a new one.")
    case .nameNotHeld:
      HTTPError(
        .preconditionFailed,
        "The archive that was asked for by this name is not kept, or not that part of it. Ask for a new one, by a new name."
      )
    case .ambiguousRange:
      HTTPError(
        .preconditionRequired,
        "Each request makes another archive, and Range does not tell of which one its bytes are to be. Send If-Range "
          + "with its ETag, or begin again with a name: ?resume=NAME.")
    }
  }
}
