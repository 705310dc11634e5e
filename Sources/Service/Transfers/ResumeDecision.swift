package import Archive
package import HTTP1

/// What a request for a backup is answered with, as far as the request and the held archives decide it. What only the
/// snapshots tell comes later: 304 (`unchangedTag`), and 416 for a part of a new archive (`ByteRange.positions`).
package enum ResumeDecision: Equatable {
  /// A new archive, or a part of it. Its client can ask for any part of it later if `servesParts`.
  case new(ByteRange?, servesParts: Bool)
  /// A part of a held archive, by its index among them: 206.
  case part(ByteRange, of: Int)
  /// The head of a held archive.
  case head(of: Int)
  /// 416: a held archive ends before the range. Its length is known.
  case unsatisfiable(of: Int)
  /// 412: the archive that `If-Match` names is not held, or not that part of it.
  case tagNotHeld
  /// 412: the archive of this name is not held, or not that part of it, and the client has another part of it.
  case nameNotHeld
  /// 428: the range does not tell of which archive it is to be a part.
  case ambiguousRange
}

/// What is known of an archive that is sent, or held for a client that may return.
package struct HeldArchive: Equatable {
  /// The request target that it was made for: a client of another target has another archive.
  package var target: String
  package var tag: EntityTag
  /// In bytes; nil as long as it is unknown.
  package var length: UInt64?
  /// The bytes that are in memory: from the first that is retained to the last that was made.
  package var retained: Range<UInt64>
  /// How many bytes had been made at the most, before it was rewound perhaps. No client has got more.
  package var furthestEnd: UInt64
  /// Whether it can be made again from its first byte: the snapshots of all that was read are held.
  package var canRewind: Bool
  /// What is sent of it, if that is not the archive itself.
  package var delta: BackupSession.Delta?

  /// Whether a range can be served, or is known to be behind the end.
  package func holds(_ range: ByteRange) -> Bool {
    holdsWithoutRewinding(range) || canRewind && isWithinWhatWasMade(range)
  }

  /// Whether `canRewind` decides on a range.
  package func dependsOnRewinding(_ range: ByteRange) -> Bool {
    !holdsWithoutRewinding(range) && isWithinWhatWasMade(range)
  }

  private func holdsWithoutRewinding(_ range: ByteRange) -> Bool {
    guard let positions = range.positions(in: length) else { return false }
    if positions.isEmpty { return length != nil }
    // If the length is known, every later byte will be made.
    let isAhead = positions.lowerBound > retained.upperBound && length != nil
    return isAhead
      || retained.lowerBound <= positions.lowerBound && positions.lowerBound <= retained.upperBound
  }

  private func isWithinWhatWasMade(_ range: ByteRange) -> Bool {
    guard let positions = range.positions(in: length), !positions.isEmpty else { return false }
    return positions.lowerBound <= max(furthestEnd, retained.upperBound)
  }
}

/// What a request says about the archive that it is for.
package struct ResumeRequest {
  package let target: String
  private let isHead: Bool
  private let range: ByteRange?
  private let ifMatch: EntityTags?
  private let ifRange: EntityTags?
  /// Whether no `If-Range` limits what the range is for.
  private let isUnconditional: Bool
  /// Whether the client has a name of its own for the archive: `?resume=NAME`.
  private let isNamed: Bool
  /// Of which delta the client may have a part.
  private let delta: BackupSession.DeltaRequest?
  /// Whether the client must not be sent a part of an archive whose length is not known yet: lftp 4.9.2 writes it over the
  /// beginning of its file, and calls that whole.
  private let joinsOnlyWithLength: Bool

  /// - Throws: 400 for an `If-Match` or `If-None-Match` that is no list of entity tags.
  package init(_ request: RequestHead) throws(HTTPError) {
    target = request.target.text
    isHead = request.method == .head
    range = ByteRange(of: request)
    ifMatch = try EntityTags("If-Match", of: request)
    // A date instead of a tag is none of ours, and there is no "*": RFC 9110 §13.1.5.
    let tags = isHead ? nil : try? EntityTags("If-Range", of: request)
    ifRange = tags == .any ? nil : tags
    isUnconditional = request.values("If-Range").isEmpty || isHead
    delta = BackupSession.DeltaRequest(request, among: try EntityTags("If-None-Match", of: request))
    isNamed = request.archiveName != nil
    joinsOnlyWithLength =
      request.needsLength || request.values("User-Agent").contains { $0.utf8.starts(with: "lftp/".utf8) }
  }

  /// The index of the held archive that the request is for: the last that fits.
  package func match(in held: [HeldArchive]) -> Int? {
    held.lastIndex { archive in
      guard archive.target == target, archive.length != nil || !joinsOnlyWithLength else { return false }
      if let sent = archive.delta, delta?.accepts(sent) != true { return false }
      if let tags = ifMatch ?? ifRange { return tags.names(archive.tag) }
      return isNamed && isUnconditional
    }
  }

  /// Whether the answer depends on `HeldArchive.canRewind`.
  package func dependsOnRewinding(_ archive: HeldArchive) -> Bool {
    ifMatch != .any && (range.map(archive.dependsOnRewinding) ?? false)
  }

  /// Decides on the answer.
  ///
  /// - Parameters:
  ///   - held: the archives that are sent or held, the oldest first.
  ///   - isStored: whether a new archive would have a length from the beginning.
  ///   - keepsArchives: whether an archive is held for a client that was lost.
  ///   - isNew: whether no archive of this target is known: held, begun, or gone.
  package func decide(
    _ held: [HeldArchive], isStored: Bool, keepsArchives: Bool, isNew: Bool
  ) -> ResumeDecision {
    let index = match(in: held)
    if let index, ifMatch != .any {
      if isHead { return .head(of: index) }
      if let range, held[index].holds(range) {
        let isEmpty = held[index].length.flatMap(range.positions)?.isEmpty ?? false
        return isEmpty ? .unsatisfiable(of: index) : .part(range, of: index)
      }
    }
    if case .list = ifMatch { return .tagNotHeld }
    let servesParts = keepsArchives && isStored && isNamed && (!isHead || isNew)
    // RFC 9110 §13.1.5: if If-Range does not hold, the whole is sent.
    guard let range, isUnconditional else { return .new(nil, servesParts: servesParts) }
    // The first request by a name may be for any part, if what follows will be of the same archive. But a client that asks
    // for all from some byte on has what is before it, and of another archive.
    if isNamed, !range.isRestOfSomething, index == nil, servesParts, isNew {
      return .new(range, servesParts: true)
    }
    // RFC 9110 §14.2 would have the field ignored. But there are clients that take the answer's rest for the rest of
    // another archive, and call it whole.
    guard range.isFromStart else { return isNamed ? .nameNotHeld : .ambiguousRange }
    return .new(nil, servesParts: servesParts)
  }
}

extension RequestHead {
  /// What its client names the archive by, `?resume=NAME` and all that it is to be; nil if it has no name for it.
  package var archiveName: String? { target.query.contains { $0.name == "resume" } ? target.text : nil }
}

extension ByteRange {
  /// Whether it is of all bytes behind some that the client must have.
  fileprivate var isRestOfSomething: Bool { if case .from(1...) = self { true } else { false } }
}

/// The tag to answer 304 with: that of an archive which is still as good as a new one would be; nil if the client has none.
/// Any archive of this state is. Which of them this resource stands for is the server's to say.
///
/// RFC 9110 §13.1.2: compared weakly, since a proxy may have made the tag weak.
/// - Parameters:
///   - known: what `If-None-Match` names.
///   - state: of the data directory now.
///   - tag: of the archive that would be sent.
package func unchangedTag(among known: EntityTags, state: String, tag: EntityTag) -> EntityTag? {
  switch known {
  case .any: tag
  case .list(let tags):
    // In our own characters, and as long as ours: fit to be sent back, and to be kept.
    tags.first { known in
      let (prefix, text) = ("\(state)-".utf8, known.opaque.utf8)
      return text.count == tag.opaque.utf8.count && text.starts(with: prefix)
        && text.dropFirst(prefix.count).allSatisfy("0123456789abcdef".utf8.contains)
    }.map { EntityTag(strong: $0.opaque) }
  }
}
