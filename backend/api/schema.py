"""The documents of the wire: OpenAPI, with a page to try it. (AsyncAPI of the websockets is made beside them.)"""

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

config = OpenAPIConfig(
    title="Codriver",
    version="1",
    description=(
        "The driver's companion: positions, actions and proofs of delivery from phones, the live map, "
        "and the APIs of the trade. "
        "Errors are `application/problem+json` with a stable `code`; under `/v1` every answer is 200 with `success`."
    ),
    path="/schema",
    render_plugins=[
        SwaggerRenderPlugin(
            js_url="/static/swagger-ui-bundle.js",
            css_url="/static/swagger-ui.css",
            standalone_preset_js_url="/static/swagger-ui-standalone-preset.js",
        ),
        JsonRenderPlugin(),
    ],
    use_handler_docstrings=True,
    security=[{"apiKey": []}],
    components=Components(
        security_schemes={
            "apiKey": SecurityScheme(
                type="http", scheme="bearer", description="An API key, or a phone's device token."
            ),
        }
    ),
)

handlers: list[object] = []
