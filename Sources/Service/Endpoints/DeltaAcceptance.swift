package import Archive
package import HTTP1

extension BackupSession.DeltaRequest {
  /// What a request says of deltas: `A-IM`, and the archives in `If-None-Match` that its client has.
  ///
  /// - Returns: nil if the client takes none, or names no archive. A delta's length is not known before its end.
  package init?(_ request: RequestHead, among known: EntityTags?) {
    let accepted = AcceptedManipulations(request)
    // RFC 3229 §10.4.1: the tags are compared strongly.
    guard accepted.accepts("vcdiff"), !request.needsLength, case .list(let tags)? = known else { return nil }
    let bases = tags.filter { !$0.isWeak }.map(\.opaque)
    guard !bases.isEmpty else { return nil }
    self.init(bases: bases, isGzipped: accepted.accepts("gzip"), digest: request.takesTrailers)
  }

  /// Whether the client takes the rest of a delta, and so has its beginning.
  package func accepts(_ delta: BackupSession.Delta) -> Bool {
    bases.contains(delta.base) && isGzipped == delta.isGzipped
  }
}
