// A program that knows nothing of Weft: go-spiffe finds the Workload API by
// SPIFFE_ENDPOINT_SOCKET. It serves mutual TLS with its own X.509-SVID on one
// address, and on another answers what a test asks it to do.
//
//	weft-spiffe-go TLS_ADDRESS ASK_ADDRESS
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

type answer map[string]any

func main() {
	ctx := context.Background()
	client, err := workloadapi.New(ctx)
	check(err)
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClient(client))
	check(err)
	go serveTLS(source, os.Args[1])

	ask := http.NewServeMux()
	handle := func(path string, run func(*http.Request) (answer, error)) {
		ask.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			got, err := run(r)
			if err != nil {
				got = answer{"error": err.Error()}
			}
			json.NewEncoder(w).Encode(got)
		})
	}
	handle("/x509", func(r *http.Request) (answer, error) { return x509(source) })
	handle("/bundles", func(r *http.Request) (answer, error) { return bundles(r.Context(), client) })
	handle("/jwt", func(r *http.Request) (answer, error) { return fetchJWT(r, client) })
	handle("/validate", func(r *http.Request) (answer, error) { return validateJWT(r, client) })
	handle("/dial", func(r *http.Request) (answer, error) { return dial(r, source) })
	check(http.ListenAndServe(os.Args[2], ask))
}

// serveTLS answers every member of the trust domain with the caller's ID.
func serveTLS(source *workloadapi.X509Source, address string) {
	svid, err := source.GetX509SVID()
	check(err)
	member := tlsconfig.AuthorizeMemberOf(svid.ID.TrustDomain())
	server := http.Server{
		Addr:      address,
		TLSConfig: tlsconfig.MTLSServerConfig(source, source, member),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _, err := x509svid.Verify(r.TLS.PeerCertificates, source)
			check(err)
			fmt.Fprint(w, id)
		}),
	}
	check(server.ListenAndServeTLS("", ""))
}

func x509(source *workloadapi.X509Source) (answer, error) {
	svid, err := source.GetX509SVID()
	if err != nil {
		return nil, err
	}
	if _, _, err := x509svid.Verify(svid.Certificates, source); err != nil {
		return nil, err
	}
	leaf := svid.Certificates[0]
	return answer{"id": svid.ID.String(), "serial": leaf.SerialNumber.Text(16), "length": len(svid.Certificates)}, nil
}

func bundles(ctx context.Context, client *workloadapi.Client) (answer, error) {
	x509, err := client.FetchX509Bundles(ctx)
	if err != nil {
		return nil, err
	}
	jwt, err := client.FetchJWTBundles(ctx)
	if err != nil {
		return nil, err
	}
	found := answer{}
	for _, bundle := range x509.Bundles() {
		found["x509 "+bundle.TrustDomain().String()] = len(bundle.X509Authorities())
	}
	for _, bundle := range jwt.Bundles() {
		found["jwt "+bundle.TrustDomain().String()] = len(bundle.JWTAuthorities())
	}
	return found, nil
}

func fetchJWT(r *http.Request, client *workloadapi.Client) (answer, error) {
	params := jwtsvid.Params{Audience: r.FormValue("audience")}
	if subject := r.FormValue("subject"); subject != "" {
		params.Subject = spiffeid.RequireFromString(subject)
	}
	svid, err := client.FetchJWTSVID(r.Context(), params)
	if err != nil {
		return nil, err
	}
	return answer{"id": svid.ID.String(), "token": svid.Marshal(), "seconds": time.Until(svid.Expiry).Seconds()}, nil
}

// validateJWT validates by the library with the keys of the Workload API, and by the Workload API itself.
func validateJWT(r *http.Request, client *workloadapi.Client) (answer, error) {
	token, audience := r.FormValue("token"), r.FormValue("audience")
	set, err := client.FetchJWTBundles(r.Context())
	if err != nil {
		return nil, err
	}
	here, hereErr := parse(token, set, audience)
	there, thereErr := client.ValidateJWTSVID(r.Context(), token, audience)
	if (hereErr == nil) != (thereErr == nil) {
		return nil, fmt.Errorf("the library says %v, the Workload API %v", hereErr, thereErr)
	}
	if thereErr != nil {
		return nil, thereErr
	}
	return answer{"id": there.ID.String(), "same": here.ID == there.ID, "audience": there.Audience}, nil
}

func parse(token string, set *jwtbundle.Set, audience string) (*jwtsvid.SVID, error) {
	return jwtsvid.ParseAndValidate(token, set, []string{audience})
}

// dial calls another program like this one, and says who it took this one for.
func dial(r *http.Request, source *workloadapi.X509Source) (answer, error) {
	expected := tlsconfig.AuthorizeID(spiffeid.RequireFromString(r.FormValue("id")))
	transport := &http.Transport{
		TLSClientConfig:   tlsconfig.MTLSClientConfig(source, source, expected),
		DisableKeepAlives: true,
	}
	client := http.Client{Transport: transport, Timeout: 5 * time.Second}
	response, err := client.Get("https://" + r.FormValue("address") + "/")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{"seenAs": string(body)}, err
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
