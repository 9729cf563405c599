/*
 * What takes the place of the connection on a wiki that has no relay ($wgWebSocketPolling).
 */
import { Poller } from './poller.js';

const api = new mw.Api( { parameters: { formatversion: 2 } } );

const asked = ( module, request ) => new Promise( ( resolve, reject ) => {
	request.then( ( answer ) => resolve( answer[ module ] ), ( code, data ) => {
		const error = data && data.error;
		// "http" is a wiki that did not answer; what it says itself is final for a message.
		reject( { code, message: error && error.info || String( code ) } );
	} );
} );

/**
 * @param {function(Object)} receive what the page hears
 * @return {Poller} with the methods of a carrier
 */
mw.webSocketPoller = ( receive ) => new Poller( {
	receive,
	poll: ( params ) => asked( 'websocketpoll', api.get( Object.assign( { action: 'websocketpoll' }, params ) ) ),
	send: ( params ) => asked( 'websocketsend', api.postWithToken( 'csrf', Object.assign( { action: 'websocketsend' }, params ) ) ),
	key: () => Array.from( crypto.getRandomValues( new Uint8Array( 16 ) ), ( byte ) => ( '0' + byte.toString( 16 ) ).slice( -2 ) ).join( '' ),
	interval: mw.config.get( 'wsConfig' ).polling,
	wiki: mw.config.get( 'wsWikiID' )
} );
