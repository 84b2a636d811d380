/** The page to try the HTTP API: Swagger UI on the document that this server publishes. */
import "swagger-ui-dist/swagger-ui.css";
// @ts-expect-error the package brings no types
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

SwaggerUI({
  url: "/schema/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
