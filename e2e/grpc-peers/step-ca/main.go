// step-ca as its own command starts it, without the clouds' key stores: a real
// authority for an external signer.
//
//	weft-step-ca CONFIG
package main

import (
	"fmt"
	"os"

	"github.com/smallstep/certificates/authority/config"
	"github.com/smallstep/certificates/ca"
	_ "github.com/smallstep/certificates/cas/softcas"
	_ "go.step.sm/crypto/kms/softkms"
)

func main() {
	loaded, err := config.LoadConfiguration(os.Args[1])
	check(err)
	server, err := ca.New(loaded)
	check(err)
	check(server.Run())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
