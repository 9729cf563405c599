/*
 * window.webSocket, for all scripts of a wiki. It costs nothing until it is used: the client, which is much larger, is loaded then, and outside
 * of the page where the browser allows it.
 */
import { address } from './address.js';
import { Carrier } from './carrier.js';
import { Grants } from './grants.js';
import { Later } from './later.js';
import { createPage } from './page.js';
import { Tokens } from './token.js';

const config = ( name ) => mw.config.get( name );
const settings = config( 'wsConfig' ) || {};
const request = ( ...options ) => fetch( ...options );
const tokens = new Tokens( settings, request );
const grants = new Grants( settings, request );

// Made here and not by the wiki: readers of one cached page are several clients.
const id = 'WS' + Array.from(
	crypto.getRandomValues( new Uint8Array( 15 ) ),
	( byte ) => ( '0' + byte.toString( 16 ) ).slice( -2 )
).join( '' );
// Scripts that tell the wiki who they are, so that they are not told their own news, read it here.
mw.config.set( 'wsClientID', id );

// What outlives this page in its tab. Without it, full or forbidden, the page does as well as it can.
const store = ( name, value ) => {
	const key = 'webSocket ' + config( 'wsWikiID' ) + ' ' + name;
	try {
		// eslint-disable-next-line mediawiki/no-storage -- what it has more is not worth loading another module for
		return value === undefined ? JSON.parse( sessionStorage.getItem( key ) ) : sessionStorage.setItem( key, JSON.stringify( value ) );
	} catch ( e ) {
		return null;
	}
};
const [ navigation ] = performance.getEntriesByType ? performance.getEntriesByType( 'navigation' ) : [];

const page = createPage( {
	id,
	store,
	// A click into the table of contents makes no other page.
	url: location.href.replace( /#.*/, '' ),
	returned: document.wasDiscarded || !!navigation && navigation.type === 'back_forward',
	able: !!settings.polling || typeof WebAssembly === 'object' && typeof WebSocket === 'function' && typeof MessageChannel === 'function' &&
		typeof fetch === 'function' && !!settings.worker && !!settings.wasm,
	carrier: ( receive, failed ) => settings.polling ?
		new Later( () => mw.loader.using( 'ext.websocket.polling' ).then( () => mw.webSocketPoller( receive ) ), failed ) :
		new Carrier( {
			url: settings.worker,
			name: 'WebSocket ' + config( 'wsWikiID' ) + ' ' + ( config( 'wgUserName' ) || '' ),
			receive,
			failed
		} ),
	hello: () => Object.assign( { url: address( config, location ), wasm: settings.wasm, transport: store( 'transport' ) || '' }, tokens.stock() ),
	token: ( refused ) => tokens.get( refused ),
	grants: ( types, refused ) => grants.get( types, refused ),
	document,
	locks: navigator.locks,
	afterLoad( run ) {
		if ( document.readyState === 'complete' ) {
			run();
		} else {
			// What others do at load comes first.
			addEventListener( 'load', () => setTimeout( run ) );
		}
	},
	event: ( name, value ) => mw.hook( 'webSocket.' + name ).fire( value ),
	log: ( text ) => mw.log.error( 'WebSocket: ' + text ),
	warn: ( text ) => mw.log.warn( 'WebSocket: ' + text ),
	// Like an exception in any other event handler.
	report: ( error ) => setTimeout( () => {
		throw error;
	} )
} );

window.webSocket = page.api;
document.addEventListener( 'visibilitychange', page.look );
document.addEventListener( 'resume', page.woke );
addEventListener( 'pagehide', page.hide );
addEventListener( 'pageshow', ( event ) => {
	if ( event.persisted ) {
		page.show();
	}
} );
