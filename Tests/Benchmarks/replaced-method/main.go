// The method of the endpoint that Sluice replaces, as a measure: every database is copied whole into memory by
// the Online Backup API, a hundred pages a step, serialised, and put into a zip by Go's own archive/zip.
//
//	replaced-method DATA_DIRECTORY ADDRESS
//
// It uses SQLite's C library where the original has a translation into Go, and compresses the serialised bytes
// where they are, so it is the faster and the smaller of the two. Like the original it switches every database
// that it opens to WAL: give it a copy of the data.
package main

// #cgo LDFLAGS: -lsqlite3
// #include <sqlite3.h>
// #include <stdlib.h>
import "C"

import (
	"archive/zip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
	"unsafe"
)

const pagesPerStep = 100

var (
	mainSchema = C.CString("main")
	inMemory   = C.CString(":memory:")
	settings   = C.CString("PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL")
)

func main() {
	directory := os.Args[1]
	http.HandleFunc("/api/backup", func(response http.ResponseWriter, _ *http.Request) {
		name := "spaxel-backup-" + time.Now().UTC().Format("2006-01-02") + ".zip"
		response.Header().Set("Content-Type", "application/zip")
		response.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		if err := writeArchive(response, directory); err != nil {
			log.Print(err)
		}
	})
	listener, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}

func writeArchive(output io.Writer, directory string) error {
	archive := zip.NewWriter(output)
	paths, err := filepath.Glob(filepath.Join(directory, "*.db")) // sorted by name
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := addDatabase(archive, path); err != nil {
			log.Printf("skipped %s: %v", path, err)
		}
	}
	version, err := archive.Create("VERSION")
	if err != nil {
		return err
	}
	fmt.Fprintln(version, "dev")
	return archive.Close()
}

func addDatabase(archive *zip.Writer, path string) error {
	content, err := serialised(path)
	if err != nil {
		return err
	}
	defer C.sqlite3_free(unsafe.Pointer(&content[0]))
	entry, err := archive.Create(filepath.Base(path))
	if err != nil {
		return err
	}
	_, err = entry.Write(content)
	return err
}

// serialised gives the bytes of a consistent copy, which are SQLite's to free.
func serialised(path string) ([]byte, error) {
	file := C.CString(path)
	defer C.free(unsafe.Pointer(file))
	var source, copy *C.sqlite3
	defer func() { C.sqlite3_close(source) }()
	defer func() { C.sqlite3_close(copy) }()
	if code := C.sqlite3_open_v2(file, &source, C.SQLITE_OPEN_READWRITE, nil); code != C.SQLITE_OK {
		return nil, failure(code)
	}
	if code := C.sqlite3_exec(source, settings, nil, nil, nil); code != C.SQLITE_OK {
		return nil, failure(code)
	}
	if code := C.sqlite3_open(inMemory, &copy); code != C.SQLITE_OK {
		return nil, failure(code)
	}
	backup := C.sqlite3_backup_init(copy, mainSchema, source, mainSchema)
	code := C.int(C.SQLITE_OK)
	for code == C.SQLITE_OK {
		code = C.sqlite3_backup_step(backup, pagesPerStep)
	}
	C.sqlite3_backup_finish(backup)
	if code != C.SQLITE_DONE {
		return nil, failure(code)
	}
	var size C.sqlite3_int64
	bytes := C.sqlite3_serialize(copy, mainSchema, &size, 0)
	if bytes == nil {
		return nil, failure(C.SQLITE_NOMEM)
	}
	return unsafe.Slice((*byte)(bytes), int(size)), nil
}

func failure(code C.int) error {
	return fmt.Errorf("SQLite: %s", C.GoString(C.sqlite3_errstr(code)))
}
