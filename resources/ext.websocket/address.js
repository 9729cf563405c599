/**
 * The URL of the relay's socket, from the settings of the wiki.
 *
 * @param {function(string): *} config the page's configuration: wsConfig, wsPort, wsRewrite, wgServer
 * @param {Location} location of the page
 * @return {string}
 */
export function address( config, location ) {
	const secure = location.protocol === 'https:';
	const scheme = secure ? 'wss:' : 'ws:';
	const settings = config( 'wsConfig' );
	if ( settings.url ) {
		// A path is one of the page's own host.
		const url = new URL( settings.url, location.href );
		url.protocol = /^wss?:/.test( settings.url ) ? url.protocol : scheme;
		url.hash = '';
		return url.href;
	}
	const server = new URL( config( 'wgServer' ) || '', location.href );
	const port = secure && settings.tlsPort || config( 'wsPort' );
	return config( 'wsRewrite' ) ?
		scheme + '//' + server.host + '/websocket:' + port :
		scheme + '//' + server.hostname + ':' + port;
}
