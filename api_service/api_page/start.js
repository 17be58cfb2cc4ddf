// Everything beside this page is asked for relative to it, so that it works behind a proxy's prefix, too.
SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("description"),
  deepLinking: true,
  displayRequestDuration: true,
  // Else it would ask a service on the internet whether the document is valid.
  validatorUrl: null,
});
