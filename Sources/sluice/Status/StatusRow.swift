import Service

/// What `sluice status` has to say of one service, or of one series of kept backups.
struct StatusRow {
  let name: String
  /// 0, 1 or 3, as the command's.
  let code: Int32
  let words: String
  /// A JSON value.
  let json: String

  var pageRow: FleetPage.Row {
    let state: FleetPage.Row.State =
      switch code {
      case 0: .good
      case 3: .incomplete
      default: .failed
      }
    return FleetPage.Row(name: name, state: state, words: words)
  }
}
